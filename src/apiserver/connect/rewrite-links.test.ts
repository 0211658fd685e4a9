import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linkRewriter, rewriteUrl } from './rewrite-links.ts';

const rewriting = { prefix: '/proxy/node/n:1', sourceHost: '10.0.0.1:80', requestHost: 'api.example:6443' };

/** Rewrites `html` cut into pieces of `size` bytes: where the cuts fall must make no difference. */
async function rewrite(html: string, size: number): Promise<string> {
  const rewriter = linkRewriter(rewriting);
  for (let at = 0; at < html.length; at += size) rewriter.write(Buffer.from(html.slice(at, at + size)));
  rewriter.end();
  const chunks: Buffer[] = [];
  for await (const chunk of rewriter) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('links of proxied pages', () => {
  const urls: [string, string][] = [
    ['/logs/kubelet.log', '/proxy/node/n:1/logs/kubelet.log'],
    ['/logs/', '/proxy/node/n:1/logs/'],
    ['kubelet.log', 'kubelet.log'],
    ['http://google.com/kubelet.log', 'http://google.com/kubelet.log'],
    ['http://10.0.0.1:80/a?b=c#d', '/proxy/node/n:1/a?b=c#d'],
    ['https://api.example:6443/a', 'https://api.example:6443/proxy/node/n:1/a'],
    ['/proxy/node/n:1/logs', '/proxy/node/n:1/logs'],
    ['mailto:a@b.c', 'mailto:a@b.c'],
    ['#top', '#top'],
  ];
  for (const [url, expected] of urls)
    it(`${url} -> ${expected}`, () => assert.equal(rewriteUrl(url, rewriting), expected));

  const html =
    '<!DOCTYPE html><!-- <a href="/no"> --><body background="/b.png"><a class=x HREF=\'/one\'>1 < 2</a>' +
    '<img src=/two alt="> /three"><form action="/f"><script src="/s.js">if (a < b) c("<a href=\\"/no\\">")</script>' +
    '<p data-x="/no">é</p><a href="/four">';
  const expected =
    '<!DOCTYPE html><!-- <a href="/no"> --><body background="/proxy/node/n:1/b.png"><a class=x HREF=\'/proxy/node/n:1/one\'>1 < 2</a>' +
    '<img src="/proxy/node/n:1/two" alt="> /three"><form action="/proxy/node/n:1/f"><script src="/proxy/node/n:1/s.js">if (a < b) c("<a href=\\"/no\\">")</script>' +
    '<p data-x="/no">é</p><a href="/proxy/node/n:1/four">';
  for (const size of [1, 2, 7, 50, 10_000]) {
    it(`are found in pieces of ${size}`, async () => assert.equal(await rewrite(html, size), expected));
  }

  it('let an endless tag pass', async () => {
    const text = `<a href="${'x'.repeat(200_000)}`;
    assert.equal(await rewrite(text, 10_000), text);
  });
});
