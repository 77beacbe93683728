// Package origin tells from an item's path which application made, received or kept a file,
// and when, as far as its name says: the names that common phones and messengers give, the
// folders of applications, and the domains of iOS backups.
//
// The name most callers need is [Of]. It says only what a name says and by which rule:
// anybody can name a file as they like, and nothing is weighed. Rules are looked at in a
// fixed order, so that the same path gives the same answer everywhere; a rule that is
// changed gets another version. The package imports nothing of ours.
package origin
