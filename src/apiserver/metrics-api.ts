import { METRICS_GROUP, type MetricsProvider } from '../api/metrics.ts';
import type { KubeObject } from '../api/object.ts';
import { notFound, serviceUnavailable } from '../api/status.ts';
import type { Answer } from './answer.ts';
import type { Environment } from './environment.ts';
import { madeList } from './made-list.ts';
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
      return madeList(request, measured);
    };
  return {
    [`${METRICS_GROUP}/pods`]: serve((metrics, { tenant, namespace }) =>
      metrics.podMetrics(tenant, namespace === '' ? undefined : namespace),
    ),
    [`${METRICS_GROUP}/nodes`]: serve((metrics, { tenant }) => metrics.nodeMetrics(tenant)),
  };
}
