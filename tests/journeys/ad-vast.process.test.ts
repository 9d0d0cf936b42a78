import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { chromium } from 'playwright-core';
import { toneWav } from '../../examples/tone.ts';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startWorld, type World } from '../support/backline.ts';
import { until } from '../support/installation.ts';

// Its types would bring those of browsers into every file.
const { VASTClient, VASTTracker } = createRequire(import.meta.url)('@dailymotion/vast-client');

const QUESTION = 'placement=between-songs&plan=free&market=de';

/** `event` of each ad that was counted, by its place. */
async function countedEvents({ database }: World, place: number): Promise<readonly string[]> {
  const rows = await database.query<{ event: string }>({
    text: `select event from backline.ad_deliveries where place = $1 and state <> 'held' order by event`,
    values: [place],
  });
  return rows.map(({ event }) => event);
}

/** Of what the library makes of an ad. */
interface ReadAd {
  readonly id: string;
  readonly sequence: string;
  readonly adType: string;
}

/** The part of a browser that the tracker of the library calls pixels with. */
function installImage(t: TestContext): readonly Promise<Response>[] {
  const calls: Promise<Response>[] = [];
  class Image {
    set src(url: string) {
      calls.push(fetch(url));
    }
  }
  Object.assign(globalThis, { window: {}, Image });
  t.after(() => {
    Reflect.deleteProperty(globalThis, 'window');
    Reflect.deleteProperty(globalThis, 'Image');
  });
  return calls;
}

test('ads: a VAST question under the name of another server is refused over TLS before anything is reserved', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'decide', 'controllers', 'ingest'] });
  await declareAds(world, [advertiserWithAd('acme', { bid: '12.50' })]);
  const { port } = new URL(world.url);
  const ask = async (host: string, path: string): Promise<number> => {
    const question = request({
      port,
      path: `/v1/ads/${path}&${QUESTION}`,
      headers: { host, authorization: `Bearer ${world.connection.token}` },
      rejectUnauthorized: false,
    });
    question.end();
    const [answer] = (await once(question, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode ?? 0;
  };
  const countBreaks = async (): Promise<number> => {
    const text = await (await fetch(`${world.url}/metrics`)).text();
    return Number(/^backline_ads_breaks_total\{outcome="served"\} (\d+)/m.exec(text)?.[1]);
  };
  const before = await countBreaks();
  for (const path of ['vast?', 'vmap?offsets=0']) assert.equal(await ask('evil.example', path), 421, path);
  assert.equal(await ask(`localhost:${port}`, 'vast?'), 200);
  // The metrics are those of a moment ago.
  const counted = await until(
    async () => ((await countBreaks()) === before ? undefined : await countBreaks()),
    () => 'the break is counted',
  );
  assert.equal(counted, before + 1);
});

test('ads: a VAST client reads a pod over HTTP, plays it, and every beacon counts once', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'decide', 'controllers', 'ingest'] });
  const { url } = world;
  await declareAds(world, [
    advertiserWithAd('acme', {
      bid: '12.50',
      ad: { clickThrough: 'https://acme.example/' },
      companion: {
        renditions: [{ url: 'https://cdn.example.com/a.png', mime: 'image/png', width: 300, height: 250 }],
      },
    }),
    advertiserWithAd('bolt', { bid: '3.00' }),
  ]);
  const answer = await fetch(`${url}/v1/ads/vast?${QUESTION}`);
  assert.deepEqual(
    [answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control')],
    [200, 'application/xml; charset=utf-8', 'no-store'],
  );
  const text = await answer.text();
  const client = new VASTClient();
  const { ads, version } = await client.get(`${url}/v1/ads/vast?${QUESTION}`);
  assert.equal(version, '4.2');
  assert.deepEqual(
    (ads as readonly ReadAd[]).map(({ id, sequence, adType }) => [id, Number(sequence), adType]),
    [
      ['default/acme.a', 1, 'audio'],
      ['default/bolt.a', 2, 'audio'],
    ],
  );
  assert.doesNotMatch(text, /Pricing|12\.5|0\.0125|currency/i);
  const calls = installImage(t);
  const [first, second] = ads;
  const linear = first?.creatives.find(({ type }: { type: string }) => type === 'linear');
  assert.ok(first && second && linear);
  assert.deepEqual([linear.duration, linear.mediaFiles[0].fileURL], [30, 'https://cdn.example.com/a.mp3']);
  const companion = first.creatives.find(({ type }: { type: string }) => type === 'companion');
  assert.equal(companion?.variations[0].staticResources[0].url, 'https://cdn.example.com/a.png');

  const tracker = new VASTTracker(client, first, linear);
  tracker.trackImpression();
  for (let second = 0; second <= 30; second += 1) tracker.setProgress(second);
  tracker.setMuted(true);
  tracker.setMuted(false);
  tracker.setPaused(true);
  tracker.setPaused(false);
  tracker.complete();
  // The player repeats what it was not sure of.
  tracker.trackImpression();
  tracker.complete();
  const broken = new VASTTracker(client, second, second.creatives[0]);
  broken.errorWithCode('405');
  const answers = await Promise.all(calls);
  assert.ok(
    answers.every(({ status }) => status === 200),
    answers.map(({ status }) => status).join(),
  );
  const played = [
    'complete',
    'firstQuartile',
    'impression',
    'midpoint',
    'mute',
    'pause',
    'resume',
    'start',
    'thirdQuartile',
    'unmute',
  ];
  await until(
    async () => ((await countedEvents(world, 0)).join() === played.join() ? true : undefined),
    () => 'every event once, also those that overtook another',
    10,
  );
  const [error] = await world.database.query<{ code: number }>(
    `select code from backline.ad_deliveries where event = 'error'`,
  );
  assert.equal(error?.code, 405);
  const clicked = await fetch(linear.videoClickThroughURLTemplate.url, { redirect: 'manual' });
  assert.deepEqual([clicked.status, clicked.headers.get('location')], [302, 'https://acme.example/']);
});

test('ads: VAST for questions without ads, for episodes, and behind a proxy that ends TLS', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'decide', 'controllers', 'ingest'] });
  const { url } = world;
  await declareAds(
    world,
    ['acme', 'bolt', 'cord'].map((name) =>
      advertiserWithAd(name, { ad: { clickThrough: `https://${name}.example/` } }),
    ),
    { slots: 1 },
  );
  const none = await fetch(`${url}/v1/ads/vast?placement=between-songs&plan=premium&market=de`);
  assert.deepEqual(
    [none.status, await none.text()],
    [200, '<?xml version="1.0" encoding="UTF-8"?><VAST version="4.2" xmlns="http://www.iab.com/VAST"/>'],
  );
  const body = JSON.stringify({ placement: 'between-songs', plan: 'free', market: 'de', offsets: '0,600,1200' });
  const posted = await fetch(`${url}/v1/ads/vmap`, { method: 'POST', body });
  const breaks = [...(await posted.text()).matchAll(/timeOffset="([^"]+)"|<Ad id="([^"]+)"/g)].map(
    (found) => found[1] ?? found[2],
  );
  assert.deepEqual(
    breaks.filter((_, index) => index % 2 === 0),
    ['start', '00:10:00', '00:20:00'],
  );
  assert.notEqual(breaks[1], breaks[3], 'adjacent breaks have other advertisers');
  assert.notEqual(breaks[3], breaks[5]);
  const many = await fetch(
    `${url}/v1/ads/vmap?${QUESTION}&offsets=${Array.from({ length: 11 }, (_, at) => at).join()}`,
  );
  assert.equal(many.status, 400);
  const proxied = await fetch(`${url}/v1/ads/vast?${QUESTION}`, { headers: { 'x-forwarded-proto': 'https' } });
  assert.match(
    await proxied.text(),
    new RegExp(`\\[https://127\\.0\\.0\\.1:${new URL(url).port}/v1/ads/events/impression`),
  );
});

test('ads: the breaks of an episode keep to the load where they begin, though they are fetched at once', async (t) => {
  const world = await startWorld(t, { roles: ['api', 'decide', 'controllers', 'ingest'] });
  const { call } = world;
  await declareAds(
    world,
    ['acme', 'bolt'].map((name) => advertiserWithAd(name)),
    { slots: 1 },
  );
  const load = { breaksPerHour: 2, gapSeconds: 300, graceMinutes: 5 };
  const patched = await call('PATCH', '/apis/ads.backline.dev/v1/namespaces/default/adpolicies/standard', {
    body: { spec: { load } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(patched.status, 200, patched.text);
  const reasonFor = async (listener: string): Promise<string | undefined> => {
    const body = { placement: 'between-songs', plan: 'free', market: 'de', listener };
    return (await call('POST', '/v1/ads/explain', { body })).json.noAds;
  };
  await until(
    async () => ((await reasonFor('other')) === 'grace' ? true : undefined),
    () => 'a policy with a load',
    10,
  );
  const offsets = '0,600,720,1200,3700,4300';
  const question = { placement: 'between-songs', plan: 'free', market: 'de', listener: 'ann', offsets };
  const answer = await fetch(`${world.url}/v1/ads/vmap`, {
    method: 'POST',
    body: JSON.stringify(question),
    headers: { authorization: `Bearer ${world.connection.token}` },
  });
  const breaks = [...(await answer.text()).matchAll(/timeOffset="([^"]+)"/g)].map(([, at]) => at);
  // Within the grace; a gap of two minutes; a third one within 60 minutes.
  assert.deepEqual(breaks, ['00:10:00', '00:20:00', '01:11:40']);
  assert.equal(await reasonFor('ann'), 'grace');
});

/** As an app would: reads VAST, plays one file after the other, and calls the pixels as they are due. */
const PLAYER = `<!doctype html><title>player</title><script type="module">
  const vast = new DOMParser().parseFromString(await (await fetch('/vast')).text(), 'text/xml');
  const call = (nodes) => { for (const node of nodes) new Image().src = node.textContent; };
  for (const ad of vast.querySelectorAll('Ad')) {
    const audio = new Audio('/tone/' + ad.querySelector('MediaFile').textContent.split('/').at(-1));
    const track = (event) => call(ad.querySelectorAll('Tracking[event=' + event + ']'));
    const due = [['firstQuartile', 0.25], ['midpoint', 0.5], ['thirdQuartile', 0.75]];
    audio.addEventListener('playing', () => { call(ad.querySelectorAll('Impression')); track('start'); }, { once: true });
    audio.addEventListener('timeupdate', () => {
      while (due.length > 0 && audio.currentTime >= due[0][1] * audio.duration) track(due.shift()[0]);
    });
    await audio.play();
    await new Promise((resolve) => audio.addEventListener('ended', resolve, { once: true }));
    for (const [event] of due) track(event);
    track('complete');
  }
  document.title = 'ended';
</script>`;

const BROWSER = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

test(
  'ads: an audio element plays a pod to its end, and all of its beacons count',
  { skip: BROWSER === undefined ? 'SKIPPED: there is no Chromium' : false },
  async (t) => {
    const world = await startWorld(t, { roles: ['api', 'decide', 'controllers', 'ingest'] });
    await declareAds(
      world,
      ['acme', 'bolt'].map((name, at) =>
        advertiserWithAd(name, {
          asset: {
            seconds: 1,
            renditions: [{ url: `https://cdn.example.com/${440 + 220 * at}`, mime: 'audio/wav' }],
          },
        }),
      ),
    );
    // The backend of an app, which asks for the break of its listener.
    const app = createServer((request, response) => {
      const { url = '' } = request;
      if (url === '/vast') {
        void fetch(`${world.url}/v1/ads/vast?${QUESTION}`).then(async (answer) => response.end(await answer.text()));
      } else if (url.startsWith('/tone/')) {
        response.setHeader('content-type', 'audio/wav');
        response.end(toneWav(Number(url.slice('/tone/'.length)), 1));
      } else {
        response.setHeader('content-type', 'text/html');
        response.end(PLAYER);
      }
    });
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    t.after(() => app.close());
    const browser = await chromium.launch({
      ...(BROWSER === undefined ? {} : { executablePath: BROWSER }),
      args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required'],
    });
    t.after(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(app.address() as AddressInfo).port}/`);
    await page.waitForFunction(`document.title === 'ended'`, undefined, { timeout: 20_000 });
    const all = 'complete,firstQuartile,impression,midpoint,start,thirdQuartile';
    for (const place of [0, 1]) {
      await until(
        async () => ((await countedEvents(world, place)).join() === all ? true : undefined),
        () => `the beacons of ad ${place}`,
        10,
      );
    }
  },
);
