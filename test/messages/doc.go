// Package messages keeps what the controllers say during the tests, one message of each shape. docs/messages.txt is
// made with it.
//
// Real or stand-in: it is about what the real product says. May not enter: what is said by anybody else.
package messages
