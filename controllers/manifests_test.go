package controllers

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/nomad-harvester/nomad-harvester/internal/finish"
)

// Who scrapes finds the port that the controller listens on, through the Service and past the NetworkPolicy.
func TestMetricsAreServedWhereTheyAreLookedFor(t *testing.T) {
	d, service, network := &appsv1.Deployment{}, &corev1.Service{}, &networkingv1.NetworkPolicy{}
	readYAML(t, "../config/manager/deployment.yaml", d)
	readYAML(t, "../config/manager/service.yaml", service)
	readYAML(t, "../config/manager/network_policy.yaml", network)
	config, err := ParseFlags(d.Spec.Template.Spec.Containers[0].Args[1:])
	if err != nil || !config.Metrics.Secure {
		t.Fatalf("metrics %+v: %v", config.Metrics, err)
	}
	ports := d.Spec.Template.Spec.Containers[0].Ports
	at := slices.IndexFunc(ports, func(p corev1.ContainerPort) bool { return p.Name == "metrics" })
	if at < 0 || config.Metrics.Address != ":"+strconv.Itoa(int(ports[at].ContainerPort)) {
		t.Errorf("the controller listens on %q, the container has %+v", config.Metrics.Address, ports)
	}
	if p := service.Spec.Ports[0]; p.TargetPort.String() != "metrics" || p.Port != ports[at].ContainerPort {
		t.Errorf("the Service leads to %+v", p)
	}
	pod := labels.Set(d.Spec.Template.Labels)
	if !labels.SelectorFromSet(network.Spec.PodSelector.MatchLabels).Matches(pod) ||
		!labels.SelectorFromSet(service.Spec.Selector).Matches(pod) {
		t.Errorf("Service or NetworkPolicy don't select a Pod with %v", pod)
	}
	in := network.Spec.Ingress
	if len(in) != 1 || len(in[0].From) == 0 || len(in[0].Ports) != 1 || in[0].Ports[0].Port.String() != "metrics" {
		t.Errorf("let in are %+v", in)
	}
}

// The NetworkPolicy lets the controller reach everything but a cloud's metadata, which is link-local, and names wherever
// they are cached.
func TestTheControllerReachesNothingLinkLocal(t *testing.T) {
	network := &networkingv1.NetworkPolicy{}
	readYAML(t, "../config/manager/network_policy.yaml", network)
	if !slices.Contains(network.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
		t.Fatalf("it is of %v", network.Spec.PolicyTypes)
	}
	notNames := func(p networkingv1.NetworkPolicyPort) bool {
		return p.Port == nil || p.Port.IntValue() != 53 || p.EndPort != nil
	}
	for _, rule := range network.Spec.Egress {
		if len(rule.Ports) > 0 && !slices.ContainsFunc(rule.Ports, notNames) {
			continue
		}
		if len(rule.To) == 0 {
			t.Errorf("a rule is of everything: %+v", rule)
		}
		for _, to := range rule.To {
			block := to.IPBlock
			if block == nil {
				t.Fatalf("a rule isn't of addresses: %+v", to)
			}
			reached := netip.MustParsePrefix(block.CIDR)
			for _, linkLocal := range []string{"169.254.0.0/16", "fe80::/10"} {
				if reached.Overlaps(netip.MustParsePrefix(linkLocal)) && !slices.Contains(block.Except, linkLocal) {
					t.Errorf("%s is reached by %+v", linkLocal, block)
				}
			}
		}
	}
}

// A VM isn't preempted for the controller.
func TestTheControllerPreemptsNobody(t *testing.T) {
	d, class := &appsv1.Deployment{}, &schedulingv1.PriorityClass{}
	readYAML(t, "../config/manager/deployment.yaml", d)
	readYAML(t, "../config/manager/priority_class.yaml", class)
	if p := class.PreemptionPolicy; d.Spec.Template.Spec.PriorityClassName != class.Name || class.Value <= 0 ||
		class.GlobalDefault || p == nil || *p != corev1.PreemptNever {
		t.Errorf("the Deployment has %q, and there is %+v", d.Spec.Template.Spec.PriorityClassName, class)
	}
}

// A write that was sent ends before the manager stops to wait, and that before the kernel ends the process.
func TestThereIsTimeForTheLastWrites(t *testing.T) {
	d := &appsv1.Deployment{}
	readYAML(t, "../config/manager/deployment.yaml", d)
	grace := time.Duration(*d.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	if finish.Within >= shutdownTimeout || shutdownTimeout >= grace {
		t.Errorf("writes %s, manager %s, Pod %s", finish.Within, shutdownTimeout, grace)
	}
	chart, err := os.ReadFile("../charts/nomad-harvester/templates/deployment.yaml")
	want := "terminationGracePeriodSeconds: " + strconv.Itoa(int(grace.Seconds()))
	if err != nil || !strings.Contains(string(chart), want) {
		t.Errorf("the chart lacks %q: %v", want, err)
	}
}

// The samples for Prometheus lead to the Service.
func TestMetricsSamplesLeadToTheService(t *testing.T) {
	service := &corev1.Service{}
	readYAML(t, "../config/manager/service.yaml", service)
	var monitor struct {
		Metadata struct{ Namespace string }
		Spec     struct {
			Selector  struct{ MatchLabels map[string]string }
			Endpoints []struct{ Port, Scheme, BearerTokenFile string }
		}
	}
	readYAML(t, "../config/monitoring/service_monitor.yaml", &monitor)
	e := monitor.Spec.Endpoints
	if monitor.Metadata.Namespace != service.Namespace || len(monitor.Spec.Selector.MatchLabels) == 0 ||
		!labels.SelectorFromSet(monitor.Spec.Selector.MatchLabels).Matches(labels.Set(service.Labels)) {
		t.Errorf("the ServiceMonitor doesn't select %v: %+v", service.Labels, monitor)
	}
	if len(e) != 1 || e[0].Port != service.Spec.Ports[0].Name || e[0].Scheme != "https" || e[0].BearerTokenFile == "" {
		t.Errorf("the ServiceMonitor has %+v", e)
	}
	var scrape struct {
		Configs []struct {
			Scheme        string
			Authorization map[string]string
			Static        []struct{ Targets []string } `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	readYAML(t, "../config/monitoring/prometheus.yml", &scrape)
	want := service.Name + "." + service.Namespace + ".svc:" + strconv.Itoa(int(service.Spec.Ports[0].Port))
	if c := scrape.Configs; len(c) != 1 || c[0].Scheme != "https" || c[0].Authorization["credentials_file"] == "" ||
		!slices.Equal(c[0].Static[0].Targets, []string{want}) {
		t.Errorf("Prometheus reads %+v, want %s", c, want)
	}
}
