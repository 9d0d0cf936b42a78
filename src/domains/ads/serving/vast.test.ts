import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { XmlDocument, XsdValidator } from 'libxml2-wasm';
import type { CompiledAd } from '../decisions/table.ts';
import { AD_EVENTS } from '../rules/ad-events.ts';
import { durationText, vastDocument, type VastAd, type VastParts } from './vast.ts';
import { vmapDocument } from './vmap.ts';

const PARTS: VastParts = { baseUrl: 'https://ads.example.com', mayMeasure: true };

// Texts that want to be XML, end a section, or cannot be written at all.
const anyText = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }),
  fc.constantFrom(
    ']]>',
    '<![CDATA[',
    '"><x a="',
    "'",
    '&amp;&',
    '</VAST>',
    '\u0000',
    '\ud800',
    '\ufffe',
    'a]]>b]]>c',
    '\r\n\t',
  ),
);
const anyUrl = fc.oneof(
  fc.webUrl({ validSchemes: ['https'], withQueryParameters: true, withFragments: true }),
  fc.string({ unit: 'binary', maxLength: 30 }).map((text) => `https://a.example/${text.replaceAll(/\s/g, '')}`),
  fc.constantFrom(
    'https://a.example/?cb=[CACHEBUSTING]&x=]]>',
    'https://a.example/%5B&<',
    'https://a.example/[TIMESTAMP]',
  ),
);
const rendition = fc.record(
  {
    url: anyUrl,
    mime: fc.constantFrom('audio/mpeg', 'video/mp4', 'image/png'),
    kbps: fc.integer({ min: 1, max: 100_000 }),
    width: fc.integer({ min: 1, max: 10_000 }),
    height: fc.integer({ min: 1, max: 10_000 }),
  },
  { requiredKeys: ['url', 'mime'], noNullPrototype: true },
);
const anyAd: fc.Arbitrary<CompiledAd> = fc.record(
  {
    name: anyText,
    weight: fc.constant(1),
    isExplicit: fc.constant(false),
    clickThrough: fc.option(anyUrl, { nil: undefined }),
    tokenBytes: fc.constant(0),
    asset: fc.record({
      name: anyText,
      format: fc.constantFrom('audio' as const, 'video' as const),
      seconds: fc.integer({ min: 1, max: 600 }),
      renditions: fc.array(rendition, { minLength: 1, maxLength: 3 }),
      vastTagUri: fc.option(anyUrl, { nil: undefined }),
    }),
    companions: fc.array(rendition, { maxLength: 2 }),
    tracking: fc.array(fc.record({ event: fc.constantFrom(...AD_EVENTS), url: anyUrl }), { maxLength: 4 }),
    verification: fc.array(
      fc.record(
        { vendor: anyText, url: anyUrl, parameters: anyText, notExecuted: anyUrl },
        { requiredKeys: ['vendor', 'url'] },
      ),
      { maxLength: 2 },
    ),
  },
  { noNullPrototype: true },
);
const anyVastAd: fc.Arbitrary<VastAd> = fc.record({
  ad: anyAd,
  advertiser: anyText,
  categories: fc.array(anyText, { maxLength: 3 }),
  servingId: fc.constant('0123456789abcdef.0'),
  token: fc.constant('AbC-_9'),
});

/** The texts of a document at a path, as a parser reads them. */
function textsAt(xml: string, path: string): readonly string[] {
  using document = XmlDocument.fromString(xml);
  return document.find(path, { v: 'http://www.iab.com/VAST' }).map((node) => node.content);
}

/** Public test data, which is not part of the project; the folder has `vast_4.2.xsd.gz` of the IAB Tech Lab. */
const DATA = process.env['BACKLINE_TEST_DATA'];

test(
  'whatever the texts of ads are, their VAST is valid by the schema of the IAB',
  { skip: DATA === undefined ? 'SKIPPED: BACKLINE_TEST_DATA names no folder with vast_4.2.xsd.gz' : false },
  () => {
    const schema = gunzipSync(readFileSync(join(DATA ?? '', 'vast_4.2.xsd.gz')));
    using source = XmlDocument.fromBuffer(schema);
    using validator = XsdValidator.fromDoc(source);
    fc.assert(
      fc.property(fc.array(anyVastAd, { maxLength: 3 }), fc.boolean(), (ads, mayMeasure) => {
        // No URI has brackets: players replace macros before they are one.
        const xml = vastDocument(ads, { ...PARTS, mayMeasure }).replaceAll(/\[([A-Z0-9_]+)\]/g, '$1');
        using document = XmlDocument.fromString(xml);
        validator.validate(document);
      }),
    );
    using wrong = XmlDocument.fromString(
      '<VAST version="4.2" xmlns="http://www.iab.com/VAST"><Ad><InLine/></Ad></VAST>',
    );
    assert.throws(() => validator.validate(wrong), 'the schema refuses what is no VAST');
  },
);

test('texts and addresses are read back as they were declared', () => {
  const readable = (text: string) => text.replaceAll(/[\0\ud800\ufffe]/g, '\ufffd');
  fc.assert(
    fc.property(anyVastAd, ({ ad, ...one }) => {
      const plain = { ...ad, asset: { ...ad.asset, vastTagUri: undefined } };
      const xml = vastDocument([{ ...one, ad: plain }], PARTS);
      const isUri = (url: string) => /^[\w\-.~:/?#@!$&'()*+,;=%]+$/.test(url) && !/#.*#|%(?![0-9a-f]{2})/i.test(url);
      const files = textsAt(xml, '//v:MediaFile');
      for (const [index, { url }] of ad.asset.renditions.entries()) if (isUri(url)) assert.equal(files[index], url);
      const pixels = ad.tracking.filter(({ event }) => event === 'impression').map(({ url }) => url);
      if (!pixels.every(isUri)) return;
      assert.deepEqual(textsAt(xml, '//v:Impression'), [
        'https://ads.example.com/v1/ads/events/impression?token=AbC-_9',
        ...pixels,
      ]);
      if (/^[ -~]*$/.test(ad.name)) assert.deepEqual(textsAt(xml, '//v:AdTitle'), [readable(ad.name)]);
    }),
  );
});

const AD: CompiledAd = {
  name: 'default/acme.a',
  weight: 1,
  isExplicit: false,
  clickThrough: 'https://acme.example/',
  tokenBytes: 0,
  asset: {
    name: 'default/acme.f',
    format: 'audio',
    seconds: 30,
    renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg', kbps: 128 }],
    vastTagUri: undefined,
  },
  companions: [{ url: 'https://cdn.example.com/a.png', mime: 'image/png', width: 300, height: 250 }],
  tracking: [{ event: 'start', url: 'https://third.example/start?cb=[CACHEBUSTING]' }],
  verification: [
    { vendor: 'third.example-omid', url: 'https://third.example/omid.js', notExecuted: 'https://third.example/no' },
  ],
};
const ONE: VastAd = { ad: AD, advertiser: 'default/acme', categories: ['IAB8'], servingId: 'd.0', token: 'T' };

test('third parties are named only where they may measure', () => {
  assert.match(
    vastDocument([ONE], PARTS),
    /third\.example\/start.*third\.example\/omid|third\.example\/omid.*third\.example\/start/s,
  );
  assert.doesNotMatch(vastDocument([ONE], { ...PARTS, mayMeasure: false }), /third\.example/);
});

test('a pod has an order, a wrapper has its tag and our events, and no ad is an empty document', () => {
  const wrapped = { ...ONE, ad: { ...AD, asset: { ...AD.asset, vastTagUri: 'https://other.example/vast?x=1&y=2' } } };
  const xml = vastDocument([ONE, wrapped], PARTS);
  assert.deepEqual(textsAt(xml, '//v:Ad/@sequence'), ['1', '2']);
  assert.deepEqual(textsAt(xml, '//v:Wrapper/v:VASTAdTagURI'), ['https://other.example/vast?x=1&y=2']);
  assert.equal(textsAt(xml, '//v:Wrapper//v:Linear//v:Tracking').length, 11);
  assert.deepEqual(textsAt(vastDocument([ONE], PARTS), '//v:Ad/@sequence'), []);
  assert.deepEqual(textsAt(vastDocument([], PARTS), '/v:VAST/*'), []);
});

test('VMAP says when each break begins, and leaves out those without ads', () => {
  const breaks = [0, 600, 4_000].map((offsetSeconds) => ({ offsetSeconds, ads: offsetSeconds === 600 ? [] : [ONE] }));
  using document = XmlDocument.fromString(vmapDocument(breaks, PARTS));
  const vmap = { p: 'http://www.iab.net/videosuite/vmap', v: 'http://www.iab.com/VAST' };
  const offsets = document.find('//p:AdBreak/@timeOffset', vmap).map((node) => node.content);
  assert.deepEqual(offsets, ['start', '01:06:40']);
  assert.equal(document.find('//p:VASTAdData/v:VAST/v:Ad', vmap).length, 2);
});

test('a duration has hours, minutes and seconds', () => {
  assert.deepEqual([1, 59, 60, 600, 3_599, 86_399].map(durationText), [
    '00:00:01',
    '00:00:59',
    '00:01:00',
    '00:10:00',
    '00:59:59',
    '23:59:59',
  ]);
});
