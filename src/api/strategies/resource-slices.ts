import type { KubeObject } from '../object.ts';

const listFields = ['ints', 'bools', 'strings', 'versions'];

/**
 * What belongs to feature gates that are off by default in v1.36 (DRAListTypeAttributes, DRANodeAllocatableResources) is
 * dropped, unless the old slice has it. Source: dropDisabledFields of pkg/registry/resource/resourceslice.
 */
export function prepareSlice(slice: KubeObject, old?: KubeObject): void {
  const attributes = attributesWithLists(slice);
  if (attributes.length > 0 && (old === undefined || attributesWithLists(old).length === 0)) {
    for (const attribute of attributes) for (const field of listFields) delete attribute[field];
  }
  if (old === undefined || !devicesOf(old).some(isMapped)) {
    for (const device of devicesOf(slice)) if (isMapped(device)) delete device.nodeAllocatableResourceMappings;
  }
}

const devicesOf = ({ spec }: KubeObject): any[] => spec?.devices ?? [];
const isMapped = (device: any): boolean => device?.nodeAllocatableResourceMappings !== undefined;

function attributesWithLists(slice: KubeObject): any[] {
  const found: any[] = [];
  for (const device of devicesOf(slice)) {
    for (const attribute of Object.values<any>(device?.attributes ?? {})) {
      if (listFields.some((field) => attribute?.[field] !== undefined)) found.push(attribute);
    }
  }
  return found;
}
