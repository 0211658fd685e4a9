import { randomUUID } from 'node:crypto';
import { formatTime, type KubeObject } from '../../api/object.ts';
import { VPC_API_ADDRESS, VPC_DNS_ADDRESS, VPC_SERVICE_CIDR } from '../../api/pool.ts';
import { IP_ADDRESSES } from '../../api/resources.ts';
import type { ObjectChange } from '../objects.ts';

/** IPv4 in numbers: the service range is a network of our own, the same in every VPC. */
const [rangeStart, rangeBits] = VPC_SERVICE_CIDR.split('/');
const firstAddress = toNumber(rangeStart!);
const addressCount = 2 ** (32 - Number(rangeBits));
const reserved = new Set([VPC_API_ADDRESS, VPC_DNS_ADDRESS]);

export const serviceRange = VPC_SERVICE_CIDR;

export function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

const canonicalIPv4 = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/;

/** Whether an address may be given to a service: in the range, neither its first nor its last. */
export function inServiceRange(address: string): boolean {
  if (!canonicalIPv4.test(address)) return false;
  const value = toNumber(address);
  return value > firstAddress && value < firstAddress + addressCount - 1;
}

/** A free address at random: dense packing would hand out an address again soon after its release. */
export function pickAddress(isTaken: (address: string) => boolean): string | undefined {
  const offset = Math.floor(Math.random() * (addressCount - 2));
  for (let step = 0; step < addressCount - 2; step++) {
    const address = toAddress(firstAddress + 1 + ((offset + step) % (addressCount - 2)));
    if (!reserved.has(address) && !isTaken(address)) return address;
  }
  return undefined;
}

/** The claim of an address: an IPAddress object, as upstream since 1.33; two services can't both make it. */
export function claim(
  tenant: string,
  address: string,
  service: { namespace: string; name: string },
  nowMs: number,
): ObjectChange {
  const after: KubeObject = {
    kind: 'IPAddress',
    apiVersion: 'networking.k8s.io/v1',
    metadata: {
      name: address,
      uid: randomUUID(),
      creationTimestamp: formatTime(nowMs),
      labels: {
        'ipaddress.kubernetes.io/ip-family': 'IPv4',
        'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
      },
    } as Partial<KubeObject['metadata']> as KubeObject['metadata'],
    spec: { parentRef: { resource: 'services', namespace: service.namespace, name: service.name } },
  };
  return { resource: IP_ADDRESSES, tenant, namespace: '', name: address, before: undefined, after };
}
