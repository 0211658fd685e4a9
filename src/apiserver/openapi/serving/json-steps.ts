import type { Steps } from '../../../base/steps.ts';

/** Members at this depth are written whole: an operation, a schema. */
const wholeAtDepth = 3;
const pieceLength = 64 * 1024;

/** A document as JSON, a member at a time: those of many definitions are megabytes. */
export function* jsonOf(document: object): Steps<Buffer> {
  const buffers: Buffer[] = [];
  let text = '';
  for (const part of partsOf(document, 0)) {
    text += part;
    if (text.length >= pieceLength) {
      buffers.push(Buffer.from(text));
      text = '';
    }
    yield;
  }
  buffers.push(Buffer.from(text));
  return Buffer.concat(buffers);
}

function* partsOf(value: unknown, depth: number): Generator<string, void, void> {
  if (depth >= wholeAtDepth || typeof value !== 'object' || value === null || Array.isArray(value)) {
    yield JSON.stringify(value);
    return;
  }
  let before = '{';
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    yield `${before}${JSON.stringify(name)}:`;
    yield* partsOf(member, depth + 1);
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}
