import { METRICS_GROUP, type MetricsProvider } from '../api/metrics.ts';
import { apiVersionOf, type KubeObject } from '../api/object.ts';
import { notFound, serviceUnavailable } from '../api/status.ts';
import { type Answer, objectAnswer } from './answer.ts';
import type { Environment } from './environment.ts';
import { filterOf } from './verbs/options/selectors.ts';
import type { ResourceRequest } from './verbs/scope.ts';

/** GET of metrics.k8s.io's pods and nodes, by `group/resource`: measured when asked for, stored nowhere. */
export function metricsVerbs(provider: () => MetricsProvider | undefined) {
  const serve =
    (measure: (metrics: MetricsProvider, request: ResourceRequest) => Promise<KubeObject[]>) =>
    async (_environment: Environment, request: ResourceRequest): Promise<Answer> => {
      const { context, definition, name } = request;
      const metrics = provider();
      if (metrics === undefined) throw serviceUnavailable('the virtual nodes are not up yet');
      const measured = await measure(metrics, request);
      if (context.info.verb === 'get') {
        const object = measured.find(({ metadata }) => metadata.name === name);
        if (object === undefined) throw notFound(definition, name);
        return { type: 'object', code: 200, object, definition };
      }
      const filter = filterOf(context, definition);
      const items = filter === undefined ? measured : measured.filter((object) => filter.matches(object));
      const apiVersion = apiVersionOf(definition);
      return objectAnswer({ kind: definition.listKind, apiVersion, metadata: {}, items });
    };
  return {
    [`${METRICS_GROUP}/pods`]: serve((metrics, { tenant, namespace }) =>
      metrics.podMetrics(tenant, namespace === '' ? undefined : namespace),
    ),
    [`${METRICS_GROUP}/nodes`]: serve((metrics, { tenant }) => metrics.nodeMetrics(tenant)),
  };
}
