import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tokenBytesOf } from '../rules/token-bytes.ts';
import { adBytesMax, newDecisionId, TOKEN_LIMITS, tokenBox, type AdToken } from './ad-token.ts';

const SECRET = Buffer.alloc(32, 1);
const box = tokenBox(SECRET);

const name = fc.string({ minLength: 1, maxLength: 253 });
const maybe = fc.option(name, { nil: undefined });
const anyToken: fc.Arbitrary<AdToken> = fc.record(
  {
    decision: fc.constant('').map(newDecisionId),
    place: fc.nat(19),
    ad: name,
    adSet: name,
    campaign: name,
    advertiser: name,
    placement: name,
    subject: fc.record({ listener: maybe, device: maybe, plan: maybe, market: maybe, role: maybe }),
    adFreeFeature: name,
    goal: fc.constantFrom('cpm', 'cpc', 'cpcv'),
    micros: fc.nat(Number.MAX_SAFE_INTEGER),
    currency: fc.constant('EUR'),
    slice: maybe,
    reservedUntilMs: fc.nat(),
    issuedMs: fc.nat(),
    expiresMs: fc.nat(),
    seconds: fc.nat(600),
    clickThrough: fc.option(fc.webUrl(), { nil: undefined }),
    mayProfile: fc.boolean(),
  },
  { noNullPrototype: true },
);

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('a token opens to what was sealed', () => {
  fc.assert(fc.property(anyToken, (token) => assert.deepEqual(plain(box.open(box.seal(token))), plain(token))));
});

test('an ad that has room in the tokens of a break never makes one too long', () => {
  const long = fc.oneof(
    name,
    fc.nat(400).map((count) => '\u0001'.repeat(count)),
    fc.nat(800).map((count) => 'ü日'.repeat(count)),
  );
  const most = { micros: Number.MAX_SAFE_INTEGER, slice: 's'.repeat(253), issuedMs: Number.MAX_SAFE_INTEGER };
  let [fitting, refused] = [0, 0];
  fc.assert(
    fc.property(
      anyToken,
      fc.record({ listener: long, household: long, device: long, session: long, role: long }),
      fc.webUrl({ withQueryParameters: true }),
      fc.nat(2_000),
      (token, subject, url, more) => {
        const given = { ...token, ...most, subject, clickThrough: url + 'x'.repeat(more) };
        const hasRoom = tokenBytesOf(given) <= adBytesMax(given);
        if (hasRoom) assert.ok(box.seal(given).length <= TOKEN_LIMITS.charsMax);
        // The bound is close: what has no room is too long, but for what the longest slice and numbers would take.
        else assert.ok(box.seal(given).length > TOKEN_LIMITS.charsMax - 200);
        if (hasRoom) fitting += 1;
        else refused += 1;
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(fitting > 20 && refused > 20, `${fitting} ${refused}`);
});

test('no other text opens: no change of a character, no piece, no token of another secret', () => {
  const other = tokenBox(Buffer.alloc(32, 2));
  fc.assert(
    fc.property(
      anyToken,
      fc.nat(),
      fc.constantFrom('A', 'Q', 'g', 'w', '_', '-', '0', '9', '='),
      (token, at, letter) => {
        const text = box.seal(token);
        const place = at % text.length;
        const altered = text.slice(0, place) + letter + text.slice(place + 1);
        if (altered !== text) assert.throws(() => box.open(altered), { code: 'ads/bad-token' });
        assert.throws(() => box.open(text.slice(0, place)), { code: 'ads/bad-token' });
        assert.throws(() => box.open(`${text}A`), { code: 'ads/bad-token' });
        assert.throws(() => other.open(text), { code: 'ads/bad-token' });
      },
    ),
  );
  for (const text of ['', 'x', '%', 'ü'.repeat(100), 'A'.repeat(200)])
    assert.throws(() => box.open(text), { code: 'ads/bad-token' });
  assert.throws(() => box.open('A'.repeat(TOKEN_LIMITS.charsMax + 1)), { message: /12001 characters/ });
});

test('nothing of the price or of the listener can be read, and two tokens of one ad differ', () => {
  const [token] = fc.sample(anyToken, 1) as [AdToken];
  const known = { ...token, subject: { listener: 'listener-4711' }, micros: 1_234_567, ad: 'default/acme.spring' };
  const text = box.seal(known);
  const bytes = Buffer.from(text, 'base64url').toString('latin1');
  for (const secret of ['listener-4711', '1234567', 'acme'])
    assert.ok(!bytes.includes(secret) && !text.includes(secret));
  assert.notEqual(text, box.seal(known));
});

test('the longest names, ids and page fit into a token', () => {
  const long = (length: number) => 'n'.repeat(length);
  const live = `${long(63)}/${long(253)}`;
  const token: AdToken = {
    decision: newDecisionId(),
    place: 19,
    ad: live,
    adSet: live,
    campaign: live,
    advertiser: live,
    placement: long(253),
    subject: {
      listener: long(253),
      household: long(253),
      device: long(253),
      session: long(253),
      plan: long(253),
      market: long(253),
      territory: long(253),
      role: long(253),
    },
    adFreeFeature: long(253),
    goal: 'cpcv',
    micros: Number.MAX_SAFE_INTEGER,
    currency: 'EUR',
    slice: long(253),
    reservedUntilMs: 2e12,
    issuedMs: 2e12,
    expiresMs: 2e12,
    seconds: 600,
    clickThrough: `https://${long(1_992)}`,
    mayProfile: true,
  };
  assert.ok(tokenBytesOf(token) <= adBytesMax(token));
  const text = box.seal(token);
  assert.ok(text.length < TOKEN_LIMITS.charsMax, `${text.length}`);
  assert.deepEqual(plain(box.open(text)), plain(token));
  const usual = box.seal({
    ...token,
    ad: 'default/acme.spring-30',
    adSet: 'default/acme.spring',
    campaign: 'default/acme.c',
    advertiser: 'default/acme',
    placement: 'between-songs',
    adFreeFeature: 'ad-free',
    slice: 'node-1/4711',
    subject: { listener: 'listener-4711', market: 'de', plan: 'free' },
    clickThrough: 'https://acme.example/spring',
  });
  assert.ok(usual.length < 560, `${usual.length}`);
});
