import { quantityOf } from '../quantity.ts';
import type { QuotaEvaluator } from './evaluator.ts';

const names = new Set(['count/services', 'services', 'services.nodeports', 'services.loadbalancers']);

/** Node ports count by what is meant: they are not handed out yet when admission asks. */
export const serviceEvaluator: QuotaEvaluator = {
  handles: ({ operation, subresource }) => subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
  isMine: (name) => names.has(name),
  usage({ spec }) {
    const { type, allocateLoadBalancerNodePorts } = spec;
    const ports: { nodePort?: number }[] = spec.ports ?? [];
    const isBalancer = type === 'LoadBalancer';
    const counted =
      type === 'NodePort' || (isBalancer && allocateLoadBalancerNodePorts !== false)
        ? ports
        : isBalancer
          ? ports.filter(({ nodePort }) => nodePort)
          : [];
    return {
      'count/services': '1',
      services: '1',
      'services.loadbalancers': isBalancer ? '1' : '0',
      'services.nodeports': quantityOf(counted.length),
    };
  },
};
