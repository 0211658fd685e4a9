package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/util/retry"
)

var checks = []check{
	{"typed client: create, get, update, patch, list, delete", typedRoundTrip},
	{"protobuf: create, get, list, watch, delete", protobufRoundTrip},
	{"informers: add, update, delete, lister", typedInformer},
	{"informers over protobuf with field and label selectors", filteredInformer},
	{"watch list: sendInitialEvents with a bookmark at the end", watchList},
	{"reflector: an expired watch starts anew", expiredVersion},
	{"pager: pages with continue tokens", pages},
	{"retry on conflict", retryOnConflict},
	{"server-side apply with apply configurations", apply},
	{"leader election with a Lease", election},
	{"errors: NotFound, AlreadyExists, Invalid, Conflict are recognised", recognisedErrors},
	{"workload: a Deployment becomes available, its pods' owners say so", workload},
	{"generateName, dry run, preconditions", smallThings},
	{"discovery: groups, preferred versions, aggregated", discoveryWorks},
	{"RESTMapper: kinds, resources, short names", restMapper},
	{"dynamic client: built-in resources", dynamicBuiltIn},
	{"dynamic client: a CustomResourceDefinition and its objects", dynamicCustom},
	{"dynamic informer on a custom resource", dynamicInformer},
	{"subresources: scale, status, eviction, token", subresources},
	{"reviews: may I, and for whom", accessReviews},
	{"metadata client: PartialObjectMetadata", metadataClient},
	{"OpenAPI v3: every group's document is there", openAPI},
}

func typedRoundTrip(ctx context.Context, e *environment) error { return roundTrip(ctx, e, e.client) }

func protobufRoundTrip(ctx context.Context, e *environment) error {
	return roundTrip(ctx, e, e.protobuf)
}

func roundTrip(ctx context.Context, e *environment, client kubernetes.Interface) error {
	maps := client.CoreV1().ConfigMaps(e.namespace)
	watcher, err := maps.Watch(ctx, metav1.ListOptions{LabelSelector: "from=client-go"})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	created, err := maps.Create(ctx, configMap("one"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if created.UID == "" || created.ResourceVersion == "" || created.Data["key"] != "value" {
		return fmt.Errorf("created: %+v", created)
	}
	created.Data["key"] = "changed"
	updated, err := maps.Update(ctx, created, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	for _, patch := range []struct {
		kind types.PatchType
		body string
	}{
		{types.MergePatchType, `{"data":{"merged":"yes"}}`},
		{types.StrategicMergePatchType, `{"data":{"strategic":"yes"}}`},
		{types.JSONPatchType, `[{"op":"add","path":"/data/json","value":"yes"}]`},
	} {
		if updated, err = maps.Patch(ctx, "one", patch.kind, []byte(patch.body), metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	got, err := maps.Get(ctx, "one", metav1.GetOptions{})
	if err != nil {
		return err
	}
	list, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "from=client-go"})
	if err != nil {
		return err
	}
	if err := maps.Delete(ctx, "one", metav1.DeleteOptions{}); err != nil {
		return err
	}
	kinds := ""
	for len(kinds) < 6 {
		select {
		case event := <-watcher.ResultChan():
			kinds += string(event.Type)[:1]
			if _, isMap := event.Object.(*corev1.ConfigMap); !isMap {
				return fmt.Errorf("event %s carries %T", event.Type, event.Object)
			}
		case <-ctx.Done():
			return fmt.Errorf("events so far: %s", kinds)
		}
	}
	return all(
		expect(kinds == "AMMMMD", "events were %s", kinds),
		expect(len(got.Data) == 4 && got.ResourceVersion == updated.ResourceVersion, "got %v", got.Data),
		expect(len(list.Items) == 1 && list.ResourceVersion != "", "listed %d", len(list.Items)),
	)
}

func typedInformer(ctx context.Context, e *environment) error {
	return informer(ctx, e, e.client, nil)
}

func filteredInformer(ctx context.Context, e *environment) error {
	return informer(ctx, e, e.protobuf, func(options *metav1.ListOptions) {
		options.LabelSelector = "from=client-go"
		options.FieldSelector = "metadata.name=one"
	})
}

func informer(ctx context.Context, e *environment, client kubernetes.Interface, tweak func(*metav1.ListOptions)) error {
	options := []informers.SharedInformerOption{informers.WithNamespace(e.namespace)}
	if tweak != nil {
		options = append(options, informers.WithTweakListOptions(tweak))
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, options...)
	maps := factory.Core().V1().ConfigMaps()
	var added, updated, deleted atomic.Int32
	isOurs := func(object any) bool {
		if gone, isGone := object.(cache.DeletedFinalStateUnknown); isGone {
			object = gone.Obj
		}
		return object.(*corev1.ConfigMap).Name == "one"
	}
	_, err := maps.Informer().AddEventHandler(cache.FilteringResourceEventHandler{
		FilterFunc: isOurs,
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { added.Add(1) },
			UpdateFunc: func(any, any) { updated.Add(1) },
			DeleteFunc: func(any) { deleted.Add(1) },
		},
	})
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("%v did not sync", kind)
		}
	}
	writes := e.client.CoreV1().ConfigMaps(e.namespace)
	made, err := writes.Create(ctx, configMap("one"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := eventually(ctx, "the informer adds", func() (bool, error) { return added.Load() == 1, nil }); err != nil {
		return err
	}
	made.Data["key"] = "changed"
	if _, err := writes.Update(ctx, made, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if err := eventually(ctx, "the informer updates", func() (bool, error) { return updated.Load() == 1, nil }); err != nil {
		return err
	}
	found, err := maps.Lister().ConfigMaps(e.namespace).List(labels.SelectorFromSet(labels.Set{"from": "client-go"}))
	if err != nil || len(found) != 1 || found[0].Data["key"] != "changed" {
		return fmt.Errorf("the lister gives %v, %v", found, err)
	}
	if err := writes.Delete(ctx, "one", metav1.DeleteOptions{}); err != nil {
		return err
	}
	return eventually(ctx, "the informer deletes", func() (bool, error) { return deleted.Load() == 1, nil })
}

func watchList(ctx context.Context, e *environment) error {
	maps := e.protobuf.CoreV1().ConfigMaps(e.namespace)
	for index := range 5 {
		if _, err := maps.Create(ctx, configMap(fmt.Sprint("map-", index)), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	send := true
	watcher, err := maps.Watch(ctx, metav1.ListOptions{
		SendInitialEvents: &send, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		AllowWatchBookmarks: true, LabelSelector: "from=client-go",
	})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	seen := 0
	for event := range watcher.ResultChan() {
		object := event.Object.(*corev1.ConfigMap)
		switch event.Type {
		case "ADDED":
			seen++
		case "BOOKMARK":
			return all(
				expect(seen == 5, "%d objects before the bookmark", seen),
				expect(object.Annotations[metav1.InitialEventsAnnotationKey] == "true", "bookmark without its annotation"),
				expect(object.ResourceVersion != "", "bookmark without resourceVersion"),
			)
		default:
			return fmt.Errorf("event %s: %v", event.Type, event.Object)
		}
	}
	return fmt.Errorf("the watch ended after %d objects", seen)
}

func expiredVersion(ctx context.Context, e *environment) error {
	watcher, err := e.client.CoreV1().ConfigMaps(e.namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: "1"})
	if err == nil {
		defer watcher.Stop()
		select {
		case event := <-watcher.ResultChan():
			err = apierrors.FromObject(event.Object)
		case <-time.After(5 * time.Second):
			return fmt.Errorf("a watch from revision 1 says nothing")
		}
	}
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		return fmt.Errorf("a watch from revision 1 gives %w", err)
	}
	store := cache.NewStore(cache.MetaNamespaceKeyFunc)
	source := cache.NewListWatchFromClient(
		e.client.CoreV1().RESTClient(), "configmaps", e.namespace, mapsNamedOne())
	reflector := cache.NewReflector(source, &corev1.ConfigMap{}, store, 0)
	stop := make(chan struct{})
	defer close(stop)
	go reflector.Run(stop)
	if _, err := e.client.CoreV1().ConfigMaps(e.namespace).Create(ctx, configMap("one"), metav1.CreateOptions{}); err != nil {
		return err
	}
	return eventually(ctx, "the reflector has the object", func() (bool, error) { return len(store.List()) == 1, nil })
}

func pages(ctx context.Context, e *environment) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	for index := range 25 {
		if _, err := maps.Create(ctx, configMap(fmt.Sprintf("map-%02d", index)), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	first, err := maps.List(ctx, metav1.ListOptions{Limit: 10, LabelSelector: "from=client-go"})
	if err != nil {
		return err
	}
	// A change between pages belongs to none of them.
	if _, err := maps.Create(ctx, configMap("map-99"), metav1.CreateOptions{}); err != nil {
		return err
	}
	second, err := maps.List(ctx, metav1.ListOptions{Limit: 20, Continue: first.Continue, LabelSelector: "from=client-go"})
	if err != nil {
		return err
	}
	all25 := len(first.Items) == 10 && len(second.Items) == 15 && second.Continue == ""
	if !all25 || first.ResourceVersion != second.ResourceVersion {
		return fmt.Errorf("pages of %d and %d at %s and %s", len(first.Items), len(second.Items), first.ResourceVersion, second.ResourceVersion)
	}
	walk := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (object listObject, err error) {
		return maps.List(ctx, options)
	}))
	walk.PageSize = 7
	seen := 0
	err = walk.EachListItem(ctx, metav1.ListOptions{LabelSelector: "from=client-go"}, func(object listObject) error {
		seen++
		return nil
	})
	return all(err, expect(seen == 26, "the pager saw %d", seen))
}

func retryOnConflict(ctx context.Context, e *environment) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	stale, err := maps.Create(ctx, configMap("one"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	other := stale.DeepCopy()
	other.Data["other"] = "was faster"
	if _, err := maps.Update(ctx, other, metav1.UpdateOptions{}); err != nil {
		return err
	}
	tries := 0
	return all(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		tries++
		if tries > 1 {
			if stale, err = maps.Get(ctx, "one", metav1.GetOptions{}); err != nil {
				return err
			}
		}
		stale.Data["mine"] = "too"
		stale, err = maps.Update(ctx, stale, metav1.UpdateOptions{})
		return err
	}), expect(tries == 2 && len(stale.Data) == 3, "%d tries, %v", tries, stale.Data))
}

func apply(ctx context.Context, e *environment) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	wanted := applycorev1.ConfigMap("one", e.namespace).WithData(map[string]string{"a": "1", "b": "2"})
	if _, err := maps.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "first"}); err != nil {
		return err
	}
	changed := applycorev1.ConfigMap("one", e.namespace).WithData(map[string]string{"a": "other"})
	_, err := maps.Apply(ctx, changed, metav1.ApplyOptions{FieldManager: "second"})
	if !apierrors.IsConflict(err) {
		return fmt.Errorf("another manager's field: %v", err)
	}
	if _, err := maps.Apply(ctx, changed, metav1.ApplyOptions{FieldManager: "second", Force: true}); err != nil {
		return err
	}
	live, err := maps.Get(ctx, "one", metav1.GetOptions{})
	if err != nil {
		return err
	}
	owned, err := applycorev1.ExtractConfigMap(live, "first")
	if err != nil {
		return err
	}
	if len(owned.Data) != 1 || owned.Data["b"] != "2" {
		return fmt.Errorf("the first manager owns %v", owned.Data)
	}
	left, err := maps.Apply(ctx, applycorev1.ConfigMap("one", e.namespace), metav1.ApplyOptions{FieldManager: "first"})
	if err != nil {
		return err
	}
	return expect(len(left.Data) == 1 && left.Data["a"] == "other", "left: %v", left.Data)
}

// election tries a few times: a leader that is stopped in the middle of a renewal cannot let go, whatever the server.
func election(ctx context.Context, e *environment) error {
	for attempt := range 3 {
		waited, err := handOver(ctx, e, fmt.Sprint("lock-", attempt))
		if err != nil {
			return err
		}
		// Let go of, not run out: its three seconds are not over.
		if waited < 2*time.Second {
			return nil
		}
	}
	return errors.New("the lock is never released: the next leader waits until it runs out")
}

// handOver says how long after the end of one leader the next one leads.
func handOver(ctx context.Context, e *environment, name string) (time.Duration, error) {
	var leader atomic.Value
	start := func(identity string, ctx context.Context) chan struct{} {
		lock := &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: e.namespace, Name: name},
			Client:     e.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
				Lock: lock, ReleaseOnCancel: true,
				LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
				Callbacks: leaderelection.LeaderCallbacks{
					OnStartedLeading: func(context.Context) { leader.Store(identity) }, OnStoppedLeading: func() {},
				},
			})
		}()
		return done
	}
	first, stopFirst := context.WithCancel(ctx)
	second, stopSecond := context.WithCancel(ctx)
	defer stopSecond()
	firstDone := start("first", first)
	leads := func(who string) func() (bool, error) {
		return func() (bool, error) { return leader.Load() == who, nil }
	}
	if err := eventually(ctx, "the first leads", leads("first")); err != nil {
		stopFirst()
		return 0, err
	}
	secondDone := start("second", second)
	time.Sleep(time.Second)
	if leader.Load() != "first" {
		stopFirst()
		return 0, fmt.Errorf("%v leads", leader.Load())
	}
	stopFirst()
	<-firstDone
	released := time.Now()
	if err := eventually(ctx, "the second leads", leads("second")); err != nil {
		return 0, err
	}
	waited := time.Since(released)
	stopSecond()
	<-secondDone
	lease, err := e.client.CoordinationV1().Leases(e.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	transitions := lease.Spec.LeaseTransitions
	return waited, expect(transitions != nil && *transitions >= 1, "lease: %+v", lease.Spec)
}

func recognisedErrors(ctx context.Context, e *environment) error {
	maps := e.protobuf.CoreV1().ConfigMaps(e.namespace)
	_, missing := maps.Get(ctx, "missing", metav1.GetOptions{})
	if _, err := maps.Create(ctx, configMap("one"), metav1.CreateOptions{}); err != nil {
		return err
	}
	_, twice := maps.Create(ctx, configMap("one"), metav1.CreateOptions{})
	_, invalid := maps.Create(ctx, configMap("NOT A NAME"), metav1.CreateOptions{})
	stale := configMap("one")
	stale.ResourceVersion = "1"
	_, conflict := maps.Update(ctx, stale, metav1.UpdateOptions{})
	return all(
		expect(apierrors.IsNotFound(missing), "missing: %v", missing),
		expect(apierrors.IsAlreadyExists(twice), "twice: %v", twice),
		expect(apierrors.IsInvalid(invalid), "invalid: %v", invalid),
		expect(apierrors.IsConflict(conflict), "conflict: %v", conflict),
	)
}

func workload(ctx context.Context, e *environment) error {
	replicas := int32(3)
	template := corev1.PodTemplateSpec{ObjectMeta: pod("web").ObjectMeta, Spec: pod("web").Spec}
	template.Name = ""
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
		},
	}
	deployments := e.protobuf.AppsV1().Deployments(e.namespace)
	if _, err := deployments.Create(ctx, deployment, metav1.CreateOptions{}); err != nil {
		return err
	}
	err := eventually(ctx, "the deployment is available", func() (bool, error) {
		live, err := deployments.Get(ctx, "web", metav1.GetOptions{})
		return err == nil && live.Status.AvailableReplicas == replicas, err
	})
	if err != nil {
		return err
	}
	pods, err := e.protobuf.CoreV1().Pods(e.namespace).List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Running"})
	if err != nil {
		return err
	}
	for _, one := range pods.Items {
		owner := metav1.GetControllerOf(&one)
		if owner == nil || owner.Kind != "ReplicaSet" || one.Spec.NodeName == "" || one.Status.PodIP == "" {
			return fmt.Errorf("pod %s: owner %v on %q with %q", one.Name, owner, one.Spec.NodeName, one.Status.PodIP)
		}
	}
	return expect(len(pods.Items) == int(replicas), "%d pods run", len(pods.Items))
}

func smallThings(ctx context.Context, e *environment) error {
	maps := e.client.CoreV1().ConfigMaps(e.namespace)
	unnamed := configMap("")
	unnamed.GenerateName = "made-"
	dry, err := maps.Create(ctx, unnamed, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return err
	}
	_, dryMissing := maps.Get(ctx, dry.Name, metav1.GetOptions{})
	made, err := maps.Create(ctx, unnamed, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	wrong := types.UID("wrong")
	refused := maps.Delete(ctx, made.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &wrong}})
	deleted := maps.Delete(ctx, made.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(made.UID))})
	return all(
		deleted,
		expect(apierrors.IsNotFound(dryMissing), "dry run: %v", dryMissing),
		expect(apierrors.IsConflict(refused), "wrong uid: %v", refused),
	)
}
