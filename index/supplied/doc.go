// Package supplied finds, completely, what a collection holds near a supplied value:
// PhotoDNA, or a value of an agency's own program. [Index] implements
// [semblance.HashIndex] for algorithms with [hashing.Algorithm.IsSupplied], in memory
// ([New]) or in mapped files ([Open]).
//
// Every entry within the radius is returned, for any radius. A sketch of 16 bytes rules
// out what certainly lies beyond, by a bound that is proved in sketch.go; what is left is
// compared by the definition, [hashing.Metric.Distance]. How much the sketch rules
// out depends on the values, the answer does not.
//
// Like everything in index it is derived from the store: what it does not hold it says
// (Version is 0), and it can be thrown away. It is safe for concurrent use. A search
// works on what was held when it began. Values are copied in.
package supplied
