import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAllowedHosts, refusedRange, THIS_MACHINE } from './address-policy.ts';

const NOTHING = parseAllowedHosts([]);

test('only addresses that the Internet routes are public', () => {
  const refused = {
    '0.0.0.0': 'unspecified',
    '10.1.2.3': 'private',
    '100.100.100.200': 'carrierGradeNat',
    '127.9.9.9': 'loopback',
    '168.63.129.16': 'metadata',
    '169.254.169.254': 'linkLocal',
    '172.16.0.1': 'private',
    '192.0.0.192': 'reserved',
    '192.168.0.1': 'private',
    '198.18.0.1': 'reserved',
    '224.0.0.1': 'multicast',
    '255.255.255.255': 'broadcast',
    '::': 'unspecified',
    '::1': 'loopback',
    '::127.0.0.1': 'loopback',
    '::7f00:1': 'reserved',
    '::ffff:10.0.0.1': 'private',
    '::ffff:169.254.169.254': 'linkLocal',
    '64:ff9b::7f00:1': 'rfc6052',
    '2001:0:1::1': 'teredo',
    '2002:7f00:1::': '6to4',
    'fd00:ec2::254': 'uniqueLocal',
    'fe80::1': 'linkLocal',
    'fec0::1': 'deprecatedSiteLocal',
    'ff02::1': 'multicast',
  };
  for (const [address, range] of Object.entries(refused)) {
    assert.equal(refusedRange('some.example', address, NOTHING), range, address);
  }
  for (const address of ['1.1.1.1', '93.184.216.34', '172.15.0.1', '2606:4700:4700::1111']) {
    assert.equal(refusedRange('some.example', address, NOTHING), undefined, address);
  }
});

test('a name, an address or a range is allowed by itself and allows nothing else', () => {
  const allowed = parseAllowedHosts(['Prometheus.Internal.', '10.0.0.7', '192.168.0.0/16', 'fd12::/16', 'localhost']);
  const isRefused = (host: string, address: string) => refusedRange(host, address, allowed) !== undefined;
  assert.ok(!isRefused('prometheus.internal', '10.9.9.9'));
  assert.ok(isRefused('other.internal', '10.9.9.9'));
  assert.ok(!isRefused('other.internal', '10.0.0.7'));
  assert.ok(!isRefused('other.internal', '::ffff:192.168.3.4'));
  assert.ok(!isRefused('other.internal', '192.169.0.1'), 'it is public');
  assert.ok(!isRefused('other.internal', 'fd12::1'));
  assert.ok(isRefused('other.internal', 'fd13::1'));
  assert.ok(isRefused('other.internal', '127.0.0.1'));
  const machine = parseAllowedHosts(THIS_MACHINE);
  for (const address of ['127.0.0.1', '::1']) assert.equal(refusedRange('any.example', address, machine), undefined);
  assert.equal(refusedRange('any.example', '10.0.0.1', machine), 'private');
});

test('what allows no host is refused', () => {
  for (const text of ['', 'http://a', 'a/b', '*.internal', '10.0.0.0/33', '10.0.0.7:9090', 'a b']) {
    assert.throws(() => parseAllowedHosts([text]), { code: 'outbound/bad-host' }, text);
  }
});
