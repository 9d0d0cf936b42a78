import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Refusal } from '#kernel/base/failures.ts';
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

/** Some of each refused range of IPv4. */
const REFUSED_IPV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['255.255.255.255', 32],
] as const;

const refusedIpv4 = fc.tuple(fc.constantFrom(...REFUSED_IPV4), fc.nat(0xff_ff_ff_ff)).map(([[base, bits], chance]) => {
  const first = base.split('.').reduce((value, part) => value * 256 + Number(part), 0);
  const value = first + (chance % 2 ** (32 - bits));
  return [24, 16, 8, 0].map((shift) => (value / 2 ** shift) & 255);
});

test('a refused IPv4 address is refused within IPv6 too', () => {
  fc.assert(
    fc.property(refusedIpv4, ([a = 0, b = 0, c = 0, d = 0]) => {
      const dotted = `${a}.${b}.${c}.${d}`;
      const words = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
      const forms = {
        plain: dotted,
        mapped: `::ffff:${dotted}`,
        mappedInHex: `::ffff:${words}`,
        mappedAtLength: `0:0:0:0:0:FFFF:${words}`,
        compatible: `::${words}`,
        nat64: `64:ff9b::${words}`,
        nat64Local: `64:ff9b:1::${words}`,
        sixToFour: `2002:${words}::1`,
      };
      for (const [form, address] of Object.entries(forms)) {
        assert.notEqual(refusedRange('some.example', address, NOTHING), undefined, `${form} ${address}`);
      }
    }),
  );
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

test('an allowance that allows no host is refused', () => {
  for (const text of ['', 'http://a', 'a/b', '*.internal', '10.0.0.0/33', '10.0.0.7:9090', 'a b']) {
    assert.throws(() => parseAllowedHosts([text]), { code: 'outbound/bad-host' }, text);
  }
});

test('a form of an address that would never match is refused with the form that does', () => {
  const remedies = {
    '127.1': 'Write 127.0.0.1 ',
    '127.0.0.1.': 'Write 127.0.0.1 ',
    '2130706433': 'Write 127.0.0.1 ',
    '0x7f.1': 'Write 127.0.0.1 ',
    '0X7F.0.0.1': 'Write 127.0.0.1 ',
    '010.0.0.1': 'Write 8.0.0.1 ',
    '127.1/8': 'Write 127.0.0.1/8 ',
    '10.0.0.300': 'Write a name, an address, or a range: ',
    'some.example.5': 'Write a name, an address, or a range: ',
    '::ffff:10.0.0.0/104': 'Write 10.0.0.0/8 ',
    '::ffff:10.0.0.0/90': 'Write a name, an address, or a range: ',
    'fe80::1%eth0': 'Write fe80::1 ',
    'fe80::%eth0/10': 'Write fe80::/10 ',
  };
  for (const [text, remedy] of Object.entries(remedies)) {
    assert.throws(
      () => parseAllowedHosts([text]),
      (error: Refusal) => error.code === 'outbound/bad-host' && error.remedy?.startsWith(remedy) === true,
      text,
    );
  }
  for (const text of ['::ffff:10.0.0.7', '10.0.0.0/8', '0x7f.example', '4chan', '1.example', '::/0']) {
    parseAllowedHosts([text]);
  }
});
