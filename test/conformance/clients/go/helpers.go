package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

func (e *environment) makeNamespace(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.namespace}}
	if _, err := e.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	return eventually(ctx, "the namespace has its service account", func() (bool, error) {
		_, err := e.client.CoreV1().ServiceAccounts(e.namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
}

func (e *environment) remove() {
	_ = e.client.CoreV1().Namespaces().Delete(context.Background(), e.namespace, metav1.DeleteOptions{})
}

// eventually waits for a condition; its error ends the wait.
func eventually(ctx context.Context, what string, condition func() (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 30*time.Second, true,
		func(context.Context) (bool, error) { return condition() })
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func expect(holds bool, format string, words ...any) error {
	if holds {
		return nil
	}
	return fmt.Errorf(format, words...)
}

// all is the first error, or nil.
func all(errs ...error) error { return errors.Join(errs...) }

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"from": "client-go"}},
		Data:       map[string]string{"key": "value"},
	}
}

func pod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "main", Image: "example.test/app:1"}},
		},
	}
}
