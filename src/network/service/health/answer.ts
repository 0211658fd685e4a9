import type { VpcService } from '../../../api/pool.ts';

export interface HealthAnswer {
  code: number;
  headers: Record<string, string>;
  body: string;
}

/**
 * What a node says of a service at its health check port, whatever path is asked for.
 * @param isProxyHealthy whether the node's table follows the services
 * Source: kube-proxy's pkg/proxy/healthcheck/service_health.go.
 */
export function healthAnswer({ spec }: VpcService, nodeAddress: string, isProxyHealthy: boolean): HealthAnswer {
  const count = spec.healthCheck?.ready?.[nodeAddress] ?? 0;
  const { namespace, name } = spec.serviceRef;
  return {
    code: count > 0 && isProxyHealthy ? 200 : 503,
    headers: {
      'content-type': 'application/json',
      'x-content-type-options': 'nosniff',
      'x-load-balancing-endpoint-weight': String(count),
    },
    body: JSON.stringify(
      { service: { namespace, name }, localEndpoints: count, serviceProxyHealthy: isProxyHealthy },
      null,
      '\t',
    ),
  };
}
