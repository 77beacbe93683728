// Package frames finds the video entries of collections: which of them have a frame near a
// hash, and which have a TMK+PDQF whose mean frame is near one. [Index] implements
// [semblance.VideoIndex], in memory ([New]) or in mapped files ([Open]).
//
// Frames lie in an [index.Hashes], numbered by their entry and their place in it; what is
// known of an entry besides lies in reels, files that are written once. Both say which version of a collection
// they hold, and one that is not held by both is not held (Version is 0): after a crash between the two the Engine fills it again.
//
// Like everything in index it is derived from the store and can be thrown away. It is safe
// for concurrent use. Values are copied in.
package frames
