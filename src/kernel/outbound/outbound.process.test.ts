import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { test, type TestContext } from 'node:test';
import { generate } from 'selfsigned';
import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { parseAllowedHosts } from './address-policy.ts';
import { openOutbound, OutboundError } from './outbound.ts';
import type { Outgoing, ResolvedAddress } from './send-request.ts';
import { localOutbound } from './testing/local-outbound.ts';

const CAUSE = { kind: 'Thing', name: 'one' } as const;
const ask = (outgoing: Outgoing) => localOutbound().ask(CAUSE, outgoing);

const LIMITS = { method: 'GET', headers: {}, msMax: 5_000, bytesMax: 1_000 } as const;

async function listening(t: TestContext, server: Server & { closeAllConnections: () => void }): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('a server that does not answer, or not to the end, is given up in time', async (t) => {
  for (const begins of [false, true]) {
    const port = await listening(
      t,
      createServer((_, response) => {
        if (begins) response.write('{');
      }),
    );
    await assert.rejects(ask({ ...LIMITS, url: `http://127.0.0.1:${port}/`, msMax: 100 }), {
      name: 'OutboundError',
      message: 'it did not answer in 0.1 s',
    });
  }
});

test('of a long answer only so much is read', async (t) => {
  const port = await listening(
    t,
    createServer((_, response) => response.end('x'.repeat(5_000_000))),
  );
  const { text, isCut } = await ask({ ...LIMITS, url: `http://127.0.0.1:${port}/` });
  assert.deepEqual([text.length, isCut], [1_000, true]);
});

test('a server is trusted by its certificate, for the name of the request', async (t) => {
  const made = await generate([{ name: 'commonName', value: 'metrics.internal' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'metrics.internal' }] }],
  });
  const port = await listening(
    t,
    createSecureServer({ key: made.private, cert: made.cert }, (_, response) => response.end('yes')),
  );
  const url = `https://127.0.0.1:${port}/`;
  assert.equal((await ask({ ...LIMITS, url, ca: made.cert, serverName: 'metrics.internal' })).text, 'yes');
  await assert.rejects(ask({ ...LIMITS, url, serverName: 'metrics.internal' }), OutboundError);
  await assert.rejects(ask({ ...LIMITS, url, ca: made.cert, serverName: 'other.internal' }), {
    message: 'it cannot be reached (ERR_TLS_CERT_ALTNAME_INVALID)',
  });
});

function outboundTo(allowed: readonly string[], addresses: Readonly<Record<string, readonly string[]>>) {
  const registry = new Registry();
  const asked: string[] = [];
  const resolve = async (host: string): Promise<readonly ResolvedAddress[]> => {
    asked.push(host);
    return (addresses[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };
  const outbound = openOutbound({ allowed: parseAllowedHosts(allowed), log: openLog('silent'), registry, resolve });
  return { ask: (url: string) => outbound.ask(CAUSE, { ...LIMITS, url }), asked, registry };
}

test('an object reaches no address inside, in whatever way its URL names it, unless it is allowed', async (t) => {
  let requests = 0;
  const port = await listening(
    t,
    createServer((_, response) => {
      requests += 1;
      response.end('reached');
    }),
  );
  const names = {
    'public.example': ['203.0.113.7', '127.0.0.1'],
    'inside.example': ['127.0.0.1'],
    'mapped.example': ['::ffff:127.0.0.1'],
  };
  const { ask: askNothingAllowed, registry } = outboundTo([], names);
  const urls = ['127.0.0.1', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', ...Object.keys(names)].map(
    (host) => `http://${host}:${port}/`,
  );
  for (const url of urls) {
    const refusal = /^its host has an address that objects may not reach \((loopback|reserved)\); .*--allow-outbound/;
    await assert.rejects(
      askNothingAllowed(url),
      (error) => error instanceof OutboundError && refusal.test(error.message),
    );
  }
  assert.equal(requests, 0);
  const counted = await registry.metrics();
  assert.match(counted, new RegExp(`requests_total\\{kind="Thing",outcome="refused"\\} ${urls.length}`));
  for (const allowed of ['inside.example', '127.0.0.1', '127.0.0.0/8']) {
    assert.equal((await outboundTo([allowed], names).ask(`http://inside.example:${port}/`)).text, 'reached', allowed);
  }
  await assert.rejects(outboundTo(['other.example', '10.0.0.0/8'], names).ask(`http://inside.example:${port}/`));
});

test('a name is resolved once: what it is pointed at afterwards is not asked', async (t) => {
  const port = await listening(
    t,
    createServer((_, response) => response.end('reached')),
  );
  const { ask: askInside, asked } = outboundTo(['127.0.0.0/8'], { 'inside.example': ['127.0.0.1'] });
  assert.equal((await askInside(`http://INSIDE.example.:${port}/`)).text, 'reached');
  assert.deepEqual(asked, ['inside.example']);
});

test('a redirect is an answer: what it points at is not asked', async (t) => {
  const port = await listening(
    t,
    createServer((_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end()),
  );
  assert.equal((await ask({ ...LIMITS, url: `http://127.0.0.1:${port}/` })).status, 302);
});

test('only HTTP is spoken, and a URL that is none is named nowhere', async () => {
  for (const url of ['ftp://127.0.0.1/', 'file:///etc/passwd', 'secret']) {
    await assert.rejects(ask({ ...LIMITS, url }), { name: 'OutboundError', message: 'its address is not one of HTTP' });
  }
});

test('requests to one host beyond the limit wait for their turn, and end with their own time', async (t) => {
  let most = 0;
  let open = 0;
  const port = await listening(
    t,
    createServer((_, response) => {
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        response.end();
      }, 20);
    }),
  );
  const outbound = localOutbound();
  const askSlow = (msMax: number) => outbound.ask(CAUSE, { ...LIMITS, msMax, url: `http://127.0.0.1:${port}/` });
  const all = await Promise.allSettled([...Array.from({ length: 100 }, () => askSlow(30_000)), askSlow(1)]);
  assert.equal(most, 32);
  assert.deepEqual([all.filter(({ status }) => status === 'fulfilled').length, all.at(-1)?.status], [100, 'rejected']);
});
