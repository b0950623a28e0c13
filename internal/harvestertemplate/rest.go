package harvestertemplate

import (
	"maps"
	"regexp"

	"k8s.io/apimachinery/pkg/runtime"
)

// leftBehind are the fields of a version's VM that belong to the VM it was made from, or for which the template has
// fields.
var leftBehind = [][]string{
	{"running"}, {"runStrategy"},
	{"template", "metadata", "creationTimestamp"},
	{"template", "spec", "hostname"}, {"template", "spec", "accessCredentials"},
	{"template", "spec", "domain", "resources", "requests"},
	{"template", "spec", "domain", "resources", "limits",
		"cpu"}, {"template", "spec", "domain", "resources", "limits", "memory"},
	{"template", "spec", "domain", "memory", "guest"}, {"template", "spec", "domain", "memory", "maxGuest"},
	{"template", "spec", "domain", "cpu", "cores"}, {"template", "spec", "domain", "cpu", "sockets"},
	{"template", "spec", "domain", "cpu", "threads"}, {"template", "spec", "domain", "cpu", "maxSockets"},
	{"template", "spec", "domain", "firmware", "uuid"}, {"template", "spec", "domain", "firmware", "serial"},
	{"template", "spec", "networks"},
}

// remainder is an overlay: the version's VM without leftBehind and without what has been taken over into the template.
func (r *resolver) remainder() map[string]any {
	doc, _ := withoutNull(runtime.DeepCopyJSON(r.version.Spec)).(map[string]any)
	for _, path := range leftBehind {
		remove(doc, path)
	}
	edit(doc, []string{"template", "metadata", "labels"}, func(value any) any { return without(platformKey, value) })
	edit(doc, []string{"template", "metadata", "annotations"}, func(value any) any { return without(observedKey, value) })
	edit(doc, []string{"template", "spec", "affinity", "nodeAffinity", required, "nodeSelectorTerms"}, withoutHosts)
	edit(doc, []string{"template", "spec", "volumes"}, r.otherVolumes)
	edit(doc, []string{"template", "spec", "domain", "devices", "disks"}, r.diskChanges)
	edit(doc, []string{"template", "spec", "domain", "devices", "interfaces"}, r.nicChanges)
	return doc
}

// observedKey matches the annotations of an instance that say something about the VM that the template was made of: those
// that Harvester and Rancher write, kubectl's, and the addresses that Kube-OVN is to give to one VM. Others are
// wishes, such as KubeVirt's hooks.kubevirt.io/hookSidecars and Kube-OVN's default_route.
var observedKey = regexp.MustCompile(`(^|\.)(harvesterhci\.io|cattle\.io)/|^kubectl\.kubernetes\.io/|` +
	`(^|\.)ovn\.kubernetes\.io/(ip_address|mac_address)$`)

func without(keys *regexp.Regexp, value any) any {
	all, _ := value.(map[string]any)
	maps.DeleteFunc(all, func(key string, _ any) bool { return keys.MatchString(key) })
	return all
}

const required = "requiredDuringSchedulingIgnoredDuringExecution"

// hostKey matches what Harvester itself asks of a VM's host, by its CPU pinning and its networks. It asks that of
// members as well where they need it, and its version 1.9 refuses the first from others (Harvester:
// pkg/webhook/resources/virtualmachine/mutator.go, checkCpuManagerAffinityTermChanged).
var hostKey = regexp.MustCompile(`^cpumanager$|^network\.harvesterhci\.io/`)

// withoutHosts takes what Harvester asks out of the terms of a node affinity. One of them is enough for a host, so that
// nothing is left to ask if one is left with nothing.
func withoutHosts(value any) any {
	terms, _ := value.([]any)
	for _, term := range terms {
		object, _ := term.(map[string]any)
		before := len(object)
		edit(object, []string{"matchExpressions"}, func(value any) any {
			return filter(value, func(expression map[string]any) bool {
				key, _ := expression["key"].(string)
				return !hostKey.MatchString(key)
			})
		})
		if len(object) == 0 && before > 0 {
			return nil
		}
	}
	return terms
}

// otherVolumes are the volumes that are neither disks of the template nor cloud-init.
func (r *resolver) otherVolumes(value any) any {
	return filter(value, func(volume map[string]any) bool {
		name, _ := volume["name"].(string)
		return !r.replaced()[name]
	})
}

// replaced are the names of the volumes that are replaced by those of the member.
func (r *resolver) replaced() map[string]bool {
	names := map[string]bool{}
	for _, v := range r.spec.Template.Spec.Volumes {
		poolDisks := len(r.pool.Disks) > 0 && (v.PersistentVolumeClaim != nil || v.DataVolume != nil)
		names[v.Name] = poolDisks || r.claimOf(v) != "" || CloudInitSource(v) != nil
	}
	return names
}

// diskChanges are the version's disks as changes to those of the member. A disk of the template keeps its bus, cache
// and so on, other disks are added, and none keeps its place in the boot order.
func (r *resolver) diskChanges(value any) any {
	return filter(value, func(disk map[string]any) bool {
		name, _ := disk["name"].(string)
		delete(disk, "bootOrder")
		if !r.replaced()[name] {
			return true
		}
		target, _ := disk["disk"].(map[string]any)
		if len(target) == 1 && target["bus"] == "virtio" {
			delete(disk, "disk")
		}
		disk["name"] = r.diskNames[name]
		return r.diskNames[name] != "" && len(disk) > 1
	})
}

// nicChanges are the version's interfaces as changes to those of the member: they keep their model and the like.
func (r *resolver) nicChanges(value any) any {
	return filter(value, func(nic map[string]any) bool {
		name, _ := nic["name"].(string)
		for _, key := range []string{"macAddress", "bootOrder", "bridge", "binding", "state"} {
			delete(nic, key)
		}
		if nic["model"] == "virtio" {
			delete(nic, "model")
		}
		nic["name"] = r.nicNames[name]
		return r.nicNames[name] != "" && len(nic) > 1
	})
}

func filter(value any, keep func(map[string]any) bool) any {
	list, _ := value.([]any)
	var kept []any
	for _, item := range list {
		if object, ok := item.(map[string]any); ok && keep(object) {
			kept = append(kept, item)
		}
	}
	return kept
}

// remove deletes a field, and the objects above it that are then empty.
func remove(doc map[string]any, path []string) {
	edit(doc, path, func(any) any { return nil })
}

// edit changes the value of a field, if it exists. If the new value is empty the field is deleted, and so are the
// objects above it that are then empty.
func edit(doc map[string]any, path []string, change func(any) any) {
	value, ok := doc[path[0]]
	if !ok {
		return
	}
	if len(path) == 1 {
		value = change(value)
	} else if object, ok := value.(map[string]any); ok {
		before := len(object)
		edit(object, path[1:], change)
		if len(object) == before {
			return
		}
	}
	if empty(value) {
		delete(doc, path[0])
		return
	}
	doc[path[0]] = value
}

func empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	default:
		return false
	}
}

// withoutNull removes null values, which an overlay takes as deletions.
func withoutNull(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			if child == nil {
				delete(v, key)
				continue
			}
			v[key] = withoutNull(child)
		}
	case []any:
		for i := range v {
			v[i] = withoutNull(v[i])
		}
	}
	return value
}
