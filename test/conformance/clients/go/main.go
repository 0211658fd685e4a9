// Command clients checks that client-go works against the cluster of a kubeconfig: one line a check.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

// environment is what every check works with: a namespace of its own is made for each.
type environment struct {
	config    *rest.Config
	client    kubernetes.Interface
	protobuf  kubernetes.Interface
	dynamic   dynamic.Interface
	discovery discovery.CachedDiscoveryInterface
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	namespace string
}

type check struct {
	name string
	run  func(ctx context.Context, e *environment) error
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: clients KUBECONFIG [PART-OF-A-CHECK'S-NAME]")
		os.Exit(2)
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	config.QPS = -1
	failed := false
	for index, one := range checks {
		if len(os.Args) > 2 && !strings.Contains(one.name, os.Args[2]) {
			continue
		}
		if err := runCheck(config, index, one); err != nil {
			failed = true
			fmt.Printf("FAIL\t%s\t%s\n", one.name, strings.ReplaceAll(err.Error(), "\n", "; "))
		} else {
			fmt.Printf("ok\t%s\n", one.name)
		}
	}
	if failed {
		os.Exit(1)
	}
}

func runCheck(config *rest.Config, index int, one check) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("panic: %v %s", problem, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	e, err := newEnvironment(ctx, config, fmt.Sprintf("client-go-%d", index))
	if err != nil {
		return err
	}
	defer e.remove()
	return one.run(ctx, e)
}

func newEnvironment(ctx context.Context, config *rest.Config, namespace string) (*environment, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	protobufConfig := rest.CopyConfig(config)
	protobufConfig.ContentType = "application/vnd.kubernetes.protobuf"
	protobufConfig.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	protobuf, err := kubernetes.NewForConfig(protobufConfig)
	if err != nil {
		return nil, err
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	cached := memory.NewMemCacheClient(client.Discovery())
	e := &environment{
		config: config, client: client, protobuf: protobuf, dynamic: dynamicClient, discovery: cached,
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(cached), namespace: namespace,
	}
	return e, e.makeNamespace(ctx)
}
