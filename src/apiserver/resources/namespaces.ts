import type { ResourceHooks } from './hooks.ts';

/** A new namespace holds the finalizer that its controller takes away once the namespace is empty. */
export const namespaceHooks: ResourceHooks = {
  async onCreate(namespace) {
    const { name, labels } = namespace.metadata;
    namespace.metadata.labels = { ...labels, 'kubernetes.io/metadata.name': name };
    const finalizers: string[] = namespace['spec']?.finalizers ?? [];
    namespace['spec'] = {
      ...namespace['spec'],
      finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'],
    };
    namespace['status'] = { phase: 'Active' };
    return [];
  },
};
