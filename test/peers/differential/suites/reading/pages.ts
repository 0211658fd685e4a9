import type { Twin } from '../../twin.ts';

/** Lists in pieces. */
export async function pages(twin: Twin, maps: string): Promise<void> {
  const summary = {
    reduce: ({ json, text }: any) =>
      json?.items === undefined
        ? (json ?? text)
        : { metadata: json.metadata, names: json.items.map((one: any) => one.metadata.name) },
  };
  for (const limit of ['1', '2', '5', '100', '0', '-1', 'x', '1.5', '99999999999999999999'])
    await twin.ask(`limit ${limit}`, { path: `${maps}?limit=${limit}` }, summary);
  let page = await twin.ask('page 1', { path: `${maps}?limit=2` }, summary);
  for (const number of [2, 3]) {
    const token = (side: { name: 'kubernetes' | 'skypod' }) =>
      encodeURIComponent(page[side.name].json.metadata.continue);
    const tokenOf = page;
    await twin.ask(
      `page ${number} with revision`,
      (side) => ({ path: `${maps}?limit=2&continue=${token(side)}&resourceVersion=1` }),
      summary,
    );
    await twin.ask(
      `page ${number} with revision 0`,
      (side) => ({ path: `${maps}?limit=2&continue=${token(side)}&resourceVersion=0` }),
      summary,
    );
    await twin.ask(
      `page ${number} with match`,
      (side) => ({ path: `${maps}?limit=2&continue=${token(side)}&resourceVersionMatch=Exact` }),
      summary,
    );
    await twin.ask(
      `page ${number} in another namespace`,
      (side) => ({ path: `/api/v1/namespaces/default/configmaps?limit=2&continue=${token(side)}` }),
      summary,
    );
    await twin.ask(`page ${number} without limit`, (side) => ({ path: `${maps}?continue=${token(side)}` }), summary);
    await twin.ask(
      `page ${number} with labels`,
      (side) => ({ path: `${maps}?limit=2&labelSelector=app%3Deven&continue=${token(side)}` }),
      summary,
    );
    page = await twin.ask(
      `page ${number}`,
      (side) => ({ path: `${maps}?limit=2&continue=${encodeURIComponent(tokenOf[side.name].json.metadata.continue)}` }),
      summary,
    );
  }
  for (const token of [
    'abc',
    '!!!',
    'e30',
    'eyJ2IjoieCJ9',
    'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi9hIn0',
    'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0',
  ]) {
    await twin.ask(`continue ${token}`, { path: `${maps}?limit=2&continue=${token}` }, summary);
  }
  await twin.ask('selected page', { path: `${maps}?limit=1&labelSelector=app%3Dodd` }, summary);
  await twin.ask('page at revision 0', { path: `${maps}?limit=1&resourceVersion=0` }, summary);
}
