package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
)

type listObject = runtime.Object

func mapsNamedOne() fields.Selector { return fields.OneTermEqualSelector("metadata.name", "one") }

func discoveryWorks(_ context.Context, e *environment) error {
	groups, lists, err := e.client.Discovery().ServerGroupsAndResources()
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for _, list := range lists {
		for _, resource := range list.APIResources {
			found[list.GroupVersion+"/"+resource.Name] = true
		}
	}
	for _, wanted := range []string{"v1/pods", "v1/pods/exec", "apps/v1/deployments/scale", "batch/v1/cronjobs",
		"networking.k8s.io/v1/ingresses", "apiextensions.k8s.io/v1/customresourcedefinitions"} {
		if !found[wanted] {
			return fmt.Errorf("discovery does not know %s", wanted)
		}
	}
	version, err := e.client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	return expect(len(groups) > 10 && version.Minor != "", "%d groups, version %v", len(groups), version)
}

func restMapper(_ context.Context, e *environment) error {
	mapping, err := e.mapper.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"})
	if err != nil {
		return err
	}
	expander := restmapper.NewShortcutExpander(e.mapper, e.discovery, nil)
	short, err := expander.KindFor(schema.GroupVersionResource{Resource: "deploy"})
	if err != nil {
		return err
	}
	return all(
		expect(mapping.Resource.Resource == "deployments" && mapping.Scope.Name() == "namespace", "%v", mapping),
		expect(short.Kind == "Deployment", "deploy is %v", short),
	)
}

func dynamicBuiltIn(ctx context.Context, e *environment) error {
	maps := e.dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(e.namespace)
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "one"}, "data": map[string]any{"a": "b"},
	}}
	created, err := maps.Create(ctx, object, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedField(created.Object, "c", "data", "a"); err != nil {
		return err
	}
	if _, err = maps.Update(ctx, created, metav1.UpdateOptions{}); err != nil {
		return err
	}
	applied, err := maps.Apply(ctx, "one", object, metav1.ApplyOptions{FieldManager: "dynamic", Force: true})
	if err != nil {
		return err
	}
	value, _, _ := unstructured.NestedString(applied.Object, "data", "a")
	return expect(value == "b", "applied: %v", applied.Object)
}

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// makeDefinition makes a kind of the given plural in clients.example.com, and waits until it is served.
func makeDefinition(ctx context.Context, e *environment, plural, kind string) (schema.GroupVersionResource, func(), error) {
	group := "clients.example.com"
	resource := schema.GroupVersionResource{Group: group, Version: "v1", Resource: plural}
	name := plural + "." + group
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced",
			"names": map[string]any{"plural": plural, "kind": kind},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object",
					"properties": map[string]any{
						"spec": map[string]any{"type": "object", "properties": map[string]any{
							"size": map[string]any{"type": "integer", "minimum": int64(1)},
						}},
						"status": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
					},
				}},
			}},
		},
	}}
	remove := func() { _ = e.dynamic.Resource(definitions).Delete(context.Background(), name, metav1.DeleteOptions{}) }
	if _, err := e.dynamic.Resource(definitions).Create(ctx, definition, metav1.CreateOptions{}); err != nil {
		return resource, remove, err
	}
	return resource, remove, eventually(ctx, "the definition is established", func() (bool, error) {
		_, err := e.dynamic.Resource(resource).Namespace(e.namespace).List(ctx, metav1.ListOptions{})
		return err == nil, nil
	})
}

func custom(kind string, size int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "clients.example.com/v1", "kind": kind, "metadata": map[string]any{"name": "one"},
		"spec": map[string]any{"size": size},
	}}
}

func dynamicCustom(ctx context.Context, e *environment) error {
	resource, remove, err := makeDefinition(ctx, e, "widgets", "Widget")
	defer remove()
	if err != nil {
		return err
	}
	widgets := e.dynamic.Resource(resource).Namespace(e.namespace)
	_, refused := widgets.Create(ctx, custom("Widget", 0), metav1.CreateOptions{})
	made, err := widgets.Create(ctx, custom("Widget", 3), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_ = unstructured.SetNestedField(made.Object, "good", "status", "state")
	updated, err := widgets.UpdateStatus(ctx, made, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	state, _, _ := unstructured.NestedString(updated.Object, "status", "state")
	e.mapper.Reset()
	mapping, err := e.mapper.RESTMapping(schema.GroupKind{Group: resource.Group, Kind: "Widget"})
	return all(
		err,
		expect(refused != nil, "a size of 0 was taken"),
		expect(state == "good", "status: %v", updated.Object),
		expect(mapping == nil || mapping.Resource == resource, "mapped to %v", mapping),
	)
}

func dynamicInformer(ctx context.Context, e *environment) error {
	resource, remove, err := makeDefinition(ctx, e, "gadgets", "Gadget")
	defer remove()
	if err != nil {
		return err
	}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(e.dynamic, 0, e.namespace, nil)
	gadgets := factory.ForResource(resource)
	var added atomic.Int32
	handler := cache.ResourceEventHandlerFuncs{AddFunc: func(any) { added.Add(1) }}
	if _, err := gadgets.Informer().AddEventHandler(handler); err != nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	factory.WaitForCacheSync(ctx.Done())
	if _, err := e.dynamic.Resource(resource).Namespace(e.namespace).Create(ctx, custom("Gadget", 1), metav1.CreateOptions{}); err != nil {
		return err
	}
	return eventually(ctx, "the informer adds", func() (bool, error) { return added.Load() == 1, nil })
}

func subresources(ctx context.Context, e *environment) error {
	made, err := e.client.CoreV1().Pods(e.namespace).Create(ctx, pod("one"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	err = eventually(ctx, "the pod runs", func() (bool, error) {
		live, err := e.client.CoreV1().Pods(e.namespace).Get(ctx, "one", metav1.GetOptions{})
		return err == nil && live.Status.Phase == corev1.PodRunning, err
	})
	if err != nil {
		return err
	}
	hour := int64(3600)
	token, err := e.protobuf.CoreV1().ServiceAccounts(e.namespace).CreateToken(ctx, "default", &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hour, BoundObjectRef: &authenticationv1.BoundObjectReference{
			Kind: "Pod", APIVersion: "v1", Name: "one", UID: made.UID,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	review, err := e.client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	user := review.Status.User.Username
	err = e.client.PolicyV1().Evictions(e.namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "one"},
	})
	return all(err, expect(user == "system:serviceaccount:"+e.namespace+":default", "the token is %q's", user))
}

func accessReviews(ctx context.Context, e *environment) error {
	attributes := &authorizationv1.ResourceAttributes{Namespace: e.namespace, Verb: "create", Resource: "pods"}
	mine, err := e.protobuf.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	theirs, err := e.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: attributes, User: "nobody"},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return expect(mine.Status.Allowed && !theirs.Status.Allowed, "mine %v, nobody's %v", mine.Status, theirs.Status)
}

func metadataClient(ctx context.Context, e *environment) error {
	client, err := metadata.NewForConfig(e.config)
	if err != nil {
		return err
	}
	if _, err := e.client.CoreV1().ConfigMaps(e.namespace).Create(ctx, configMap("one"), metav1.CreateOptions{}); err != nil {
		return err
	}
	maps := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(e.namespace)
	got, err := maps.Get(ctx, "one", metav1.GetOptions{})
	if err != nil {
		return err
	}
	list, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "from=client-go"})
	if err != nil {
		return err
	}
	return expect(got.Labels["from"] == "client-go" && len(list.Items) == 1, "%v, %d", got, len(list.Items))
}

func openAPI(ctx context.Context, e *environment) error {
	paths, err := e.client.Discovery().OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	for path, group := range paths {
		if _, err := group.Schema("application/json"); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	var _ openapi.Client = e.client.Discovery().OpenAPIV3()
	deadline, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, err = e.client.Discovery().OpenAPISchema()
	return all(err, deadline.Err(), expect(len(paths) > 10, "%d documents", len(paths)))
}
