import type { Steps } from '../../base/steps.ts';
import { fewValues, holdsFew } from './json.ts';

/** So many values are written at once. */
const valuesAtOnce = fewValues;

/** The JSON of a value (no text of its own for what is undefined: as JSON.stringify within an object), in steps. */
export function* writeJson(value: unknown): Steps<string> {
  const pieces: string[] = [];
  yield* write(value, pieces);
  return pieces.join('');
}

/** So many pieces are put together at once. */
const piecesAtOnce = 2048;

/** The same as bytes in parts: to put a text of megabytes together, and to encode it, takes long as well. */
export function* writeJsonBytes(value: unknown): Steps<Buffer[]> {
  const parts: Buffer[] = [];
  const pieces: string[] = [];
  for (const _ of write(value, pieces)) {
    if (pieces.length >= piecesAtOnce) {
      parts.push(Buffer.from(pieces.join('')));
      pieces.length = 0;
    }
    yield;
  }
  parts.push(Buffer.from(pieces.join('')));
  return parts;
}

function* write(value: unknown, pieces: string[]): Steps<void> {
  if (holdsFew(value)) {
    pieces.push(JSON.stringify(value) ?? 'null');
    return;
  }
  // To begin to list a large object's members takes long already, and was done once.
  yield;
  let count = 0;
  if (Array.isArray(value)) {
    pieces.push('[');
    for (let index = 0; index < value.length; index++) {
      if (index > 0) pieces.push(',');
      const item: unknown = value[index];
      if (typeof item === 'object' && item !== null) yield* write(item, pieces);
      else pieces.push(JSON.stringify(item) ?? 'null');
      if (++count % valuesAtOnce === 0) yield;
    }
    pieces.push(']');
    return;
  }
  const members = value as Record<string, unknown>;
  let before = '{';
  for (const name in members) {
    const member = members[name];
    if (member === undefined) continue;
    pieces.push(before, JSON.stringify(name), ':');
    before = ',';
    if (typeof member === 'object' && member !== null) yield* write(member, pieces);
    else pieces.push(JSON.stringify(member));
    if (++count % valuesAtOnce === 0) yield;
  }
  pieces.push(before === '{' ? '{}' : '}');
  yield;
}
