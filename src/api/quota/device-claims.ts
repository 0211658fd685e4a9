import { addQuantities, compareQuantities, quantityOf } from '../quantity.ts';
import type { QuotaEvaluator } from './evaluator.ts';

const objectCount = 'count/resourceclaims.resource.k8s.io';
const classSuffix = '.deviceclass.resource.k8s.io/devices';
/** So many devices one claim may be given at most. */
const maximumDevices = 32;

interface DeviceRequest {
  deviceClassName: string;
  allocationMode?: string;
  count?: number;
}

/** Devices by class, in the worst case: of alternatives the one that takes the most. */
export const deviceClaimEvaluator: QuotaEvaluator = {
  handles: ({ operation, subresource }) => subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
  isMine: (name) => name === objectCount || name.endsWith(classSuffix),
  usage({ spec }) {
    const usage: Record<string, string> = { [objectCount]: '1' };
    const add = (name: string, amount: string) => {
      usage[name] = usage[name] === undefined ? amount : addQuantities(usage[name], amount);
    };
    const requests: { exactly?: DeviceRequest; firstAvailable?: DeviceRequest[] }[] = spec.devices?.requests ?? [];
    for (const { exactly, firstAvailable } of requests) {
      const largest = new Map<string, string>();
      for (const one of firstAvailable?.length ? firstAvailable : exactly === undefined ? [] : [exactly]) {
        const name = `${one.deviceClassName}${classSuffix}`;
        const amount = quantityOf(devicesOf(one));
        if (compareQuantities(amount, largest.get(name) ?? 0) >= 0) largest.set(name, amount);
      }
      for (const [name, amount] of largest) add(name, amount);
    }
    return usage;
  },
};

function devicesOf({ allocationMode, count }: DeviceRequest): number {
  if (allocationMode === 'All') return maximumDevices;
  return allocationMode === 'ExactCount' ? (count ?? 0) : 0;
}
