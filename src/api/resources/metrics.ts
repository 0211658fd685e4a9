import { registerSchema, schemaOf } from '../generated-schema.ts';
import { METRICS_GROUP, METRICS_VERSION } from '../metrics.ts';
import type { KubeObject } from '../object.ts';
import { formatQuantity, parseQuantity } from '../quantity.ts';
import type { ColumnDefinition, ResourceDefinition } from '../resource-definition.ts';
import type { FieldSchema, TypeSchema, ValueSchema } from '../schema.ts';
import { defineResource } from './define.ts';

const field = (type: ValueSchema, number: number): FieldSchema => ({
  type,
  number,
  required: false,
  optional: false,
  emitted: 'always',
});
const usage = field({ kind: 'map', values: { kind: 'quantity' } }, 2);
const metadata = field({ kind: 'object', type: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }, 1);
const optionalString: FieldSchema = {
  type: { kind: 'string' },
  number: 0,
  required: false,
  optional: true,
  emitted: 'set',
};

/** Source: k8s.io/metrics/pkg/apis/metrics/v1beta1. */
function type(name: string, fields: Record<string, FieldSchema>): TypeSchema {
  const full = `io.k8s.metrics.pkg.apis.metrics.v1beta1.${name}`;
  registerSchema({ name: full, fields });
  return schemaOf(full)!;
}

const containerMetrics = type('ContainerMetrics', { name: field({ kind: 'string' }, 1), usage });
const sample = (numbered: Record<string, FieldSchema>) => ({
  apiVersion: optionalString,
  kind: optionalString,
  metadata,
  timestamp: field({ kind: 'time' }, 2),
  window: field({ kind: 'duration' }, 3),
  ...numbered,
});
const podMetrics = type(
  'PodMetrics',
  sample({ containers: field({ kind: 'array', items: { kind: 'object', type: containerMetrics.name } }, 4) }),
);
const nodeMetrics = type('NodeMetrics', sample({ usage: { ...usage, number: 4 } }));

const nanosOf = (usages: Record<string, string>[], resource: string): bigint =>
  usages.reduce((sum, amounts) => sum + parseQuantity(amounts[resource] ?? 0).nanos, 0n);

const columns = (usagesOf: (object: KubeObject) => Record<string, string>[]): ColumnDefinition[] => [
  {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: '',
    priority: 0,
    value: ({ metadata }) => metadata.name,
  },
  ...(['cpu', 'memory'] as const).map(
    (resource): ColumnDefinition => ({
      name: resource,
      type: 'string',
      description: '',
      priority: 0,
      value: (object) =>
        formatQuantity({
          nanos: nanosOf(usagesOf(object), resource),
          format: resource === 'cpu' ? 'DecimalSI' : 'BinarySI',
        }),
    }),
  ),
  { name: 'Window', type: 'string', description: '', priority: 0, value: (object) => object['window'] },
];

const facts = (resource: string, kind: string, namespaced: boolean) => ({
  group: METRICS_GROUP,
  version: METRICS_VERSION,
  resource,
  singular: '',
  kind,
  namespaced,
  shortNames: [],
  categories: [],
  verbs: ['get', 'list'],
  subresources: [],
});

/** What `kubectl top` reads; served from a MetricsProvider, never stored. */
export const metricsResources: ResourceDefinition[] = [
  defineResource(facts('nodes', 'NodeMetrics', false), {
    schema: nodeMetrics,
    columns: columns((object) => [object['usage']]),
  }),
  defineResource(facts('pods', 'PodMetrics', true), {
    schema: podMetrics,
    columns: columns((object) => object['containers'].map((container: { usage: object }) => container.usage)),
  }),
];
