import { stringify } from 'yaml';

/** A value as upstream's servers print YAML: members sorted, lists not indented, nothing said by reference. */
export function yamlText(value: unknown): string {
  return stringify(value, { aliasDuplicateObjects: false, indentSeq: false, lineWidth: 0, sortMapEntries: true });
}
