package main

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/hack/uicheck/checklist"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

// read gets a VM and what the checklist asks about it.
func read(ctx context.Context, c client.Client, key client.ObjectKey) (checklist.Subject, error) {
	s := checklist.Subject{VM: &kubevirtv1.VirtualMachine{}, Live: true, Images: map[string]checklist.Image{},
		Local: map[string]bool{}, Filesystem: map[string]bool{}}
	if err := c.Get(ctx, key, s.VM); err != nil {
		return s, fmt.Errorf("reading the VM %s: %w", key, err)
	}
	namespace := &corev1.Namespace{}
	if err := c.Get(ctx, client.ObjectKey{Name: key.Namespace}, namespace); err == nil {
		s.Namespace = namespace
	}
	node := &v1alpha1.NomadNode{}
	if err := c.Get(ctx, key, node); client.IgnoreNotFound(err) != nil {
		return s, fmt.Errorf("reading the NomadNode %s: %w", key, err)
	}
	s.Conditions = node.Status.Conditions
	if pool := s.VM.Labels[v1alpha1.PoolLabel]; pool != "" {
		p := &v1alpha1.NomadNodePool{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: pool}, p); client.IgnoreNotFound(err) != nil {
			return s, fmt.Errorf("reading the pool of %s: %w", key, err)
		}
		s.PoolUID = string(p.UID)
	}
	if err := readSecret(ctx, c, &s); err != nil {
		return s, err
	}
	facts, err := preflight.Gather(ctx, c, key.Namespace, &v1alpha1.NodeTemplate{Disks: disksOf(s.VM)},
		&v1alpha1.NomadClient{})
	if err != nil {
		return s, err
	}
	for name, image := range facts.Images {
		s.Images[name] = checklist.Image{StorageClassName: image.StorageClassName, VirtualSize: image.VirtualSize}
	}
	for name, class := range facts.StorageClasses {
		s.Local[name], s.Filesystem[name] = !class.Shareable, class.Filesystem
	}
	return s, nil
}

func readSecret(ctx context.Context, c client.Client, s *checklist.Subject) error {
	if s.VM.Spec.Template == nil {
		return nil
	}
	for _, v := range s.VM.Spec.Template.Spec.Volumes {
		if v.CloudInitNoCloud == nil || v.CloudInitNoCloud.UserDataSecretRef == nil {
			continue
		}
		secret := &corev1.Secret{}
		err := c.Get(ctx, client.ObjectKey{Namespace: s.VM.Namespace, Name: v.CloudInitNoCloud.UserDataSecretRef.Name},
			secret)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading the cloud-init Secret: %w", err)
		}
		if err == nil {
			s.Secret = secret
		}
	}
	return nil
}

// disksOf are the disks that the claims of a VM stand for, as far as their images and storage classes go.
func disksOf(vm *kubevirtv1.VirtualMachine) []v1alpha1.Disk {
	var claims []corev1.PersistentVolumeClaim
	if json.Unmarshal([]byte(vm.Annotations["harvesterhci.io/volumeClaimTemplates"]), &claims) != nil {
		return nil // the checklist tells
	}
	var disks []v1alpha1.Disk
	for _, c := range claims {
		d := v1alpha1.Disk{Image: c.Annotations["harvesterhci.io/imageId"]}
		if class := c.Spec.StorageClassName; d.Image == "" && class != nil {
			d.StorageClassName = *class
		}
		disks = append(disks, d)
	}
	return disks
}
