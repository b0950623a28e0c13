// Package messages keeps what the controllers say during the tests, one message of each shape. It compares that with
// docs/messages.txt, in which all of it has to be, and that with the code, which has to say all of it.
//
// Real or stand-in: it is about what the real product says. May not enter: what is said by anybody else.
package messages
