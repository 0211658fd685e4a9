import type { Steps } from '../../base/steps.ts';
import { writeJson } from '../json/write-json.ts';
import type { FieldSet } from './field-set.ts';
import type { ManagedFieldsEntry } from './managed.ts';

/** Sets and entries live on from write to write, and are shared: their text is made once. */
const setTexts = new WeakMap<FieldSet, string>();
const entryTexts = new WeakMap<ManagedFieldsEntry, string>();

/** The JSON of managedFields: what JSON.stringify gives, for a fraction of its time. */
export function encodeEntries(entries: readonly ManagedFieldsEntry[]): string {
  let text = '[';
  for (let index = 0; index < entries.length; index++) text += (index > 0 ? ',' : '') + encodeEntry(entries[index]!);
  return `${text}]`;
}

/** Makes the texts in steps: encodeEntries has little to do then. */
export function* prepareEntries(entries: readonly ManagedFieldsEntry[]): Steps<void> {
  for (const entry of entries) {
    const { fieldsV1 } = entry;
    if (fieldsV1 !== undefined && !entryTexts.has(entry) && !setTexts.has(fieldsV1)) {
      setTexts.set(fieldsV1, yield* writeJson(fieldsV1));
    }
    encodeEntry(entry);
    yield;
  }
}

function encodeEntry(entry: ManagedFieldsEntry): string {
  let text = entryTexts.get(entry);
  if (text === undefined) {
    const { fieldsV1, ...rest } = entry;
    text = JSON.stringify(rest);
    if (fieldsV1 !== undefined)
      text = `${text.slice(0, -1)}${text === '{}' ? '' : ','}"fieldsV1":${encodeSet(fieldsV1)}}`;
    entryTexts.set(entry, text);
  }
  return text;
}

function encodeSet(set: FieldSet): string {
  let text = setTexts.get(set);
  if (text === undefined) {
    text = JSON.stringify(set);
    setTexts.set(set, text);
  }
  return text;
}
