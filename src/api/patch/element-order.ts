/**
 * The order of a merged list: what the patch names comes in the patch's order, the rest in the server's, and the two
 * are merged: a server's element goes first where the server had it before the patch's next one.
 * Example: server [a b c], patch order [c x a] gives [b c x a] (b was before c; a follows x because the patch says so).
 */
export function mergeOrder(merged: any[], patchOrder: any[], serverOrder: any[], mergeKey: string): any[] {
  const identity = (element: any) => (mergeKey === '' ? element : element?.[mergeKey]);
  const inPatch = positions(patchOrder, identity);
  const inServer = positions(serverOrder, identity);
  const named = sortedBy(
    merged.filter((element) => inPatch.has(identity(element))),
    inPatch,
    identity,
  );
  const serverOnly = sortedBy(
    merged.filter((element) => !inPatch.has(identity(element))),
    inServer,
    identity,
  );
  const result: any[] = [];
  let i = 0;
  let j = 0;
  while (i < serverOnly.length || j < named.length) {
    if (i === serverOnly.length) result.push(named[j++]);
    else if (j === named.length) result.push(serverOnly[i++]);
    else {
      const left = inServer.get(identity(serverOnly[i]));
      const right = inServer.get(identity(named[j]));
      const serverFirst = left !== undefined && right !== undefined && left < right;
      result.push(serverFirst ? serverOnly[i++] : named[j++]);
    }
  }
  return result;
}

function positions(list: any[], identity: (element: any) => unknown): Map<unknown, number> {
  const found = new Map<unknown, number>();
  list.forEach((element, at) => {
    if (!found.has(identity(element))) found.set(identity(element), at);
  });
  return found;
}

/** Stable; elements without a position keep to the end. */
function sortedBy(list: any[], order: Map<unknown, number>, identity: (element: any) => unknown): any[] {
  const placed = list.map((element) => ({ element, at: order.get(identity(element)) ?? order.size }));
  return placed.sort((a, b) => a.at - b.at).map(({ element }) => element);
}
