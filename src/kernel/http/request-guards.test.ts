import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostIn, isFromForeignPage, isFromHere, requireOwnHost } from './request-guards.ts';
import type { Exchange } from './exchange.ts';

/** A request as far as these questions look at it. */
function exchangeWith(headers: Record<string, string>, remoteAddress = '127.0.0.1', isTls = false): Exchange {
  const socket = { remoteAddress, ...(isTls ? { encrypted: true } : {}) };
  return { request: { socket }, header: (name: string) => headers[name] } as unknown as Exchange;
}

test('the host of an authority is its name or address, without port and brackets', () => {
  const cases: [authority: string, host: string | undefined][] = [
    ['localhost', 'localhost'],
    ['LOCALHOST:7700', 'localhost'],
    ['[::1]:7700', '::1'],
    ['127.0.0.1:7700', '127.0.0.1'],
    ['api.example.com', 'api.example.com'],
    ['user@localhost', undefined],
    ['localhost/evil', undefined],
    ['localhost:7700:1', undefined],
    ['', undefined],
  ];
  for (const [authority, host] of cases) assert.equal(hostIn(authority), host, authority);
});

test('in plain HTTP a name that is not the server’s is refused; an address cannot be pointed elsewhere', () => {
  const names = new Set(['api.example.com']);
  for (const host of ['localhost:1', '127.0.0.1:1', '[::1]:1', '10.0.0.7', 'API.example.com']) {
    requireOwnHost(exchangeWith({ host }), names);
  }
  for (const host of ['evil.example', 'evil.example:7700', '127.0.0.1.evil.example', 'localhost.evil.example', '']) {
    assert.throws(
      () => requireOwnHost(exchangeWith({ host }), names),
      { code: 'http/foreign-host', status: 421 },
      host,
    );
  }
  requireOwnHost(exchangeWith({ host: 'evil.example' }, '127.0.0.1', true), names);
});

test('only what was made on this machine to this machine is from here', () => {
  assert.ok(isFromHere(exchangeWith({ host: 'localhost:7700' })));
  assert.ok(isFromHere(exchangeWith({ host: '[::1]' }, '::1')));
  assert.ok(!isFromHere(exchangeWith({ host: 'localhost' }, '10.0.0.7')));
  for (const host of ['api.example.com', '127.evil.example', '10.0.0.7'])
    assert.ok(!isFromHere(exchangeWith({ host })), host);
  for (const header of ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via']) {
    assert.ok(!isFromHere(exchangeWith({ host: 'localhost', [header]: 'x' })), header);
  }
});

test('a page of another origin is foreign, and so is what the browser calls cross-site or same-site', () => {
  const host = 'localhost:7700';
  assert.ok(!isFromForeignPage(exchangeWith({ host })));
  assert.ok(
    !isFromForeignPage(exchangeWith({ host, origin: 'http://localhost:7700', 'sec-fetch-site': 'same-origin' })),
  );
  assert.ok(!isFromForeignPage(exchangeWith({ host, 'sec-fetch-site': 'none' })));
  for (const origin of ['http://localhost:5173', 'https://evil.example', 'null']) {
    assert.ok(isFromForeignPage(exchangeWith({ host, origin })), origin);
  }
  for (const site of ['cross-site', 'same-site'])
    assert.ok(isFromForeignPage(exchangeWith({ host, 'sec-fetch-site': site })));
});
