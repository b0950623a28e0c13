package acl

// IsManagement reports if everything is allowed.
func (a *ACL) IsManagement() bool { return a != nil && a.management }

// AllowNamespaceOp reports if the capability is granted in the namespace.
func (a *ACL) AllowNamespaceOp(namespace, capability string) bool {
	return a != nil && (a.management || a.namespaces.allows(namespace, capability))
}

// AllowNamespace reports if anything is granted in the namespace.
func (a *ACL) AllowNamespace(namespace string) bool {
	return a != nil && (a.management || a.namespaces.allowsAny(namespace))
}

// AllowNodePoolOp reports if the capability (read, write, delete) is granted on the node pool.
func (a *ACL) AllowNodePoolOp(pool, capability string) bool {
	return a != nil && (a.management || a.nodePools.allows(pool, capability))
}

// AllowVariableOperation reports if the capability is granted on the path of a variable.
func (a *ACL) AllowVariableOperation(namespace, path, capability string) bool {
	return a != nil && (a.management || a.variables.allows(variableName(namespace, path), capability))
}

// AllowNodeRead reports if nodes may be read.
func (a *ACL) AllowNodeRead() bool { return a.reads("node") }

// AllowNodeWrite reports if nodes may be drained, purged and introduced.
func (a *ACL) AllowNodeWrite() bool { return a.writes("node") }

// AllowAgentRead reports if agents may be asked about themselves.
func (a *ACL) AllowAgentRead() bool { return a.reads("agent") }

// AllowAgentWrite reports if agents may be changed.
func (a *ACL) AllowAgentWrite() bool { return a.writes("agent") }

// AllowOperatorRead reports if the state of the cluster may be read.
func (a *ACL) AllowOperatorRead() bool { return a.reads("operator") }

// AllowOperatorWrite reports if the cluster may be operated.
func (a *ACL) AllowOperatorWrite() bool { return a.writes("operator") }

// AllowPluginRead reports if plugins may be read.
func (a *ACL) AllowPluginRead() bool { return a.reads("plugin") }

// AllowPluginList reports if plugins may be listed.
func (a *ACL) AllowPluginList() bool {
	return a.reads("plugin") || a != nil && a.levels["plugin"] == PolicyList
}

// AllowQuotaRead reports if quotas may be read.
func (a *ACL) AllowQuotaRead() bool { return a.reads("quota") }

func (a *ACL) reads(kind string) bool {
	return a.writes(kind) || a != nil && a.levels[kind] == PolicyRead
}

func (a *ACL) writes(kind string) bool {
	return a != nil && (a.management || a.levels[kind] == PolicyWrite)
}
