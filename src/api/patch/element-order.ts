import { sortSteps } from '../../base/sort-steps.ts';
import type { Steps } from '../../base/steps.ts';

const elementsAtOnce = 256;

/**
 * The order of a merged list: what the patch names comes in the patch's order, the rest in the server's, and the two
 * are merged: a server's element goes first where the server had it before the patch's next one.
 * Example: server [a b c], patch order [c x a] gives [b c x a] (b was before c; a follows x because the patch says so).
 */
export function* mergeOrder(merged: any[], patchOrder: any[], serverOrder: any[], mergeKey: string): Steps<any[]> {
  const identity = (element: any) => (mergeKey === '' ? element : element?.[mergeKey]);
  const inPatch = yield* positions(patchOrder, identity);
  const inServer = yield* positions(serverOrder, identity);
  const named: Placed[] = [];
  const serverOnly: Placed[] = [];
  for (let index = 0; index < merged.length; index++) {
    const element = merged[index];
    const key = identity(element);
    const at = inPatch.get(key);
    // Stable; elements without a position keep to the end.
    if (at !== undefined) named.push({ element, at, server: inServer.get(key) });
    else {
      const server = inServer.get(key);
      serverOnly.push({ element, at: server ?? inServer.size, server });
    }
    if (index % elementsAtOnce === elementsAtOnce - 1) yield;
  }
  yield* sortSteps(named, inOrder);
  yield* sortSteps(serverOnly, inOrder);
  const result: any[] = [];
  let i = 0;
  let j = 0;
  while (i < serverOnly.length || j < named.length) {
    if (result.length % elementsAtOnce === elementsAtOnce - 1) yield;
    if (i === serverOnly.length) result.push(named[j++]!.element);
    else if (j === named.length) result.push(serverOnly[i++]!.element);
    else {
      const left = serverOnly[i]!.server;
      const right = named[j]!.server;
      const serverFirst = left !== undefined && right !== undefined && left < right;
      result.push(serverFirst ? serverOnly[i++]!.element : named[j++]!.element);
    }
  }
  return result;
}

interface Placed {
  element: any;
  /** In the order that it is sorted by. */
  at: number;
  /** In the server's list. */
  server: number | undefined;
}

const inOrder = (a: Placed, b: Placed) => a.at - b.at;

function* positions(list: any[], identity: (element: any) => unknown): Steps<Map<unknown, number>> {
  const found = new Map<unknown, number>();
  for (let at = 0; at < list.length; at++) {
    const key = identity(list[at]);
    if (!found.has(key)) found.set(key, at);
    if (at % elementsAtOnce === elementsAtOnce - 1) yield;
  }
  return found;
}
