import type { KubeObject } from '../object.ts';

interface DeviceKey {
  driver?: string;
  pool?: string;
  device?: string;
  shareID?: string;
}

/** Which device of which pool, and which share of it. */
export const deviceKey = ({ driver, pool, device, shareID }: DeviceKey): string =>
  JSON.stringify([driver ?? '', pool ?? '', device ?? '', shareID ?? '']);

/**
 * What drivers told of devices goes with their allocation. Source: dropDeallocatedStatusDevices in
 * pkg/registry/resource/resourceclaim.
 */
export function prepareClaimStatus(claim: KubeObject, old: KubeObject): void {
  const status = claim['status'];
  if (typeof status !== 'object' || status === null || status.devices === undefined) return;
  const allocated = ({ status }: KubeObject): DeviceKey[] => status?.allocation?.devices?.results ?? [];
  const gone = new Set(allocated(old).map(deviceKey));
  for (const result of allocated(claim)) gone.delete(deviceKey(result));
  if (gone.size > 0) status.devices = status.devices.filter((device: DeviceKey) => !gone.has(deviceKey(device)));
  if (status.devices.length === 0) delete status.devices;
  // A list that is always written, and is none where it is empty.
  for (const device of status.devices ?? []) if (!device.conditions?.length) device.conditions = null;
}
