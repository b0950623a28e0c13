// Package preflight says beforehand what in a template can't work. It reads what a template refers to, the version of a
// Harvester template that it names and the quotas of its namespace, and checks them.
//
// It is the only one of these rooms that reads the cluster. It writes nothing, and decides nothing about members.
package preflight
