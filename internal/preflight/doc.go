// Package preflight finds what in a template can't work before a VM is made. It reads what a template refers to, the
// version of a Harvester template that it names and the quotas of its namespace, and checks them.
//
// Of the packages that make a member only this one reads the cluster. Nothing may enter that writes, or that decides
// about members.
package preflight
