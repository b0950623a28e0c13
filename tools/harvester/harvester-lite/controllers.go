package main

import (
	"context"

	"github.com/harvester/harvester/pkg/config"
	globalsettings "github.com/harvester/harvester/pkg/controller/global/settings"
	"github.com/harvester/harvester/pkg/controller/master/virtualmachine"
	"github.com/harvester/harvester/pkg/generated/clientset/versioned/scheme"
	"github.com/harvester/harvester/pkg/indexeres"
	"github.com/rancher/lasso/pkg/controller"
	"github.com/rancher/wrangler/v3/pkg/generic"
	"github.com/rancher/wrangler/v3/pkg/schemes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// startControllers does what Harvester's server does at its start
// (pkg/server/context.go, pkg/controller/master/setup.go), for the VM
// controllers and the Settings only.
func startControllers(ctx context.Context, restConfig *rest.Config, o options) error {
	for _, add := range []func() error{
		func() error { return schemes.AddToScheme(scheme.Scheme) },
		func() error { return clientgoscheme.AddToScheme(scheme.Scheme) },
	} {
		if err := add(); err != nil {
			return err
		}
	}
	factory, err := controller.NewSharedControllerFactoryFromConfig(restConfig, scheme.Scheme)
	if err != nil {
		return err
	}
	opts := config.Options{Namespace: o.namespace, Threadiness: o.workers, HCIMode: true}
	ctx, scaled, err := config.SetupScaled(ctx, restConfig, &generic.FactoryOptions{SharedControllerFactory: factory})
	if err != nil {
		return err
	}
	// Creates every Setting with its default, as the harvester binary does.
	if err := globalsettings.Register(ctx, scaled, nil, opts); err != nil {
		return err
	}
	if err := indexeres.Setup(ctx, nil, nil, opts); err != nil {
		return err
	}
	if err := virtualmachine.Register(ctx, scaled.Management, opts); err != nil {
		return err
	}
	if err := scaled.Start(o.workers); err != nil {
		return err
	}
	return scaled.Management.Start(o.workers)
}
