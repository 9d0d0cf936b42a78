import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { runCommandLine } from '#cli/program.ts';
import { fakeIo } from '#cli/testing/fake-io.ts';
import { advertiserWithAd, declareAds } from '../support/ads.ts';
import { startWorld } from '../support/backline.ts';
import { until } from '../support/installation.ts';

const ASKED = '--placement between-songs --plan free --market de';

/** Backline with ads, and the command line beside it. */
async function startTerminal(t: TestContext) {
  const world = await startWorld(t, { roles: ['api', 'decide', 'controllers', 'ingest'], rollUpSeconds: 1 });
  return {
    ...world,
    backline: async (line: string) => {
      const io = { ...fakeIo(), env: { BACKLINE_KUBECONFIG: world.running.kubeconfigFile } };
      const status = await runCommandLine(line.split(' '), io);
      return { status, out: io.written.stdout, err: io.written.stderr };
    },
  };
}

test('backline ads: the tree of accounts by pages, breaks as a listener asks, and why they are so', async (t) => {
  const { backline, ...world } = await startTerminal(t);
  await declareAds(
    world,
    [
      advertiserWithAd('acme', { bid: '12.50' }),
      advertiserWithAd('bolt', { bid: '3.00' }),
      advertiserWithAd('cave', { bid: '2.00' }),
    ],
    { slots: 2 },
  );

  await t.test('tree', async () => {
    const { status, out } = await backline('ads tree acme');
    assert.equal(status, 0);
    assert.match(out, /^acme +advertiser, EUR, acme Ltd +active$/m);
    assert.match(out, /^ {4}acme\.s +ad set, auction, 12\.50 cpm +may be served$/m);
    assert.match(out, /^ {8}acme\.f +asset, audio, 30 s +declared$/m);
    assert.doesNotMatch(out, /bolt/);

    const names = [];
    let token = '';
    do {
      const page = JSON.parse((await backline(`ads tree --limit 2 -o json${token}`)).out);
      names.push(page.accounts.map(({ account }: { account: string }) => account));
      token = page.continue === undefined ? '' : ` --continue ${page.continue}`;
    } while (token !== '');
    assert.deepEqual(names, [['acme', 'bolt'], ['cave']]);

    const missing = await backline('ads tree nobody');
    assert.equal(missing.status, 1);
    assert.match(missing.err, /nobody/);
  });

  await t.test('decide and explain', async () => {
    const decided = await backline(`ads decide ${ASKED} --listener u1`);
    assert.equal(decided.status, 0, decided.err);
    assert.match(decided.out, /^between-songs: 2 ads, 60 s$/m);
    assert.match(decided.out, /^default\/acme\.a +default\/acme\.s +auction +0\.0\d+ EUR \(cpm\) +30 s$/m);
    const json = JSON.parse((await backline(`ads decide ${ASKED} -o json`)).out);
    assert.equal(json.ads.length, 2);
    assert.ok(json.ads[0].token.length > 0);

    const explained = await backline(`ads explain ${ASKED}`);
    assert.match(explained.out, /^ {2}default\/cave\.s +auction +2\.00 \(cpm\) +2\.00$/m);
    assert.match(explained.out, /^ {2}no room +1 +default\/cave\.s$/m);
    assert.deepEqual(JSON.parse((await backline(`ads explain ${ASKED} -o json`)).out).reasons, [
      { reason: 'no room', adSets: 1, example: 'default/cave.s' },
    ]);

    const free = await backline('ads decide --placement between-songs --plan premium --market de');
    assert.match(free.out, /^between-songs: no ads: the listener has the ad-free feature\.$/m);
  });

  await t.test('diagnose', async () => {
    const cave = await backline('ads diagnose cave.s');
    assert.equal(cave.status, 0, cave.err);
    assert.match(
      cave.out,
      /^default\/cave\.s: 100 % of eligible requests are lost\. Other ad sets are of an earlier tier/m,
    );
    assert.match(
      cave.out,
      /^\d+ breaks at its placements since 20\S+Z, on this node\. Of \d+ that were decided anew, 100 % /m,
    );
    assert.match(cave.out, /^ {2}no room: 100 % .*\.\n {4}Raise spec\.bid/m);
    const acme = JSON.parse((await backline('ads diagnose acme.s -o json')).out);
    assert.deepEqual([acme.requests.served, acme.losses, acme.budgets], [1, [], []]);
    assert.match(acme.summary, /^It would be served in 100 % of the eligible requests/);

    // A budget, and a pause.
    const path = '/apis/ads.backline.dev/v1/namespaces/default/adsets/cave.s';
    const headers = { 'content-type': 'application/merge-patch+json' };
    const patch = async (spec: object) =>
      assert.equal((await world.call('PATCH', path, { body: { spec }, headers })).status, 200);
    await patch({ bid: '90.00', pacing: 'asap', budget: { daily: '0.10' } });
    await until(
      async () => ((await backline('ads diagnose cave.s')).out.includes('would be served in 100 %') ? true : undefined),
      () => 'the bid',
      10,
    );
    const { out } = await backline(`ads decide ${ASKED} -o json`);
    assert.equal(JSON.parse(out).ads[0].adSet, 'default/cave.s');
    const spent = await backline('ads diagnose default/cave.s');
    assert.match(
      spent.out,
      /^default\/cave\.s: It used 0\.\d+ of 0\.10 EUR of the daily budget of ad set default\/cave\.s\. /m,
    );
    await patch({ paused: true });
    await until(
      async () => ((await backline('ads diagnose cave.s')).out.includes('The AdSet is paused.') ? true : undefined),
      () => 'the pause',
      10,
    );
    const paused = JSON.parse((await backline('ads diagnose cave.s -o json')).out);
    assert.deepEqual(
      paused.losses.map(({ reason, share, sentence }: Record<string, unknown>) => [reason, share, sentence]),
      [['ad set paused', 1, 'All requests are lost. The AdSet is paused.']],
    );
    const unknown = await backline('ads diagnose nobody');
    assert.deepEqual([unknown.status, unknown.err.includes('There is no ad set "default/nobody".')], [1, true]);
    assert.match((await backline('ads diagnose --help')).out, /say why an ad set does not spend its budget/);
    await patch({ paused: false, bid: '2.00' });
  });

  await t.test('reconcile', async () => {
    const { json } = await world.call('POST', '/v1/ads/decide', {
      body: { placement: 'between-songs', plan: 'free', market: 'de', listener: 'u2' },
    });
    const events = json.ads.map(({ token }: { token: string }) => ({ event: 'impression', token }));
    assert.equal((await world.call('POST', '/v1/ads/events', { body: { events } })).status, 200);
    await until(
      async () => {
        const rows = await world.database.query('select from backline.ad_deliveries where not is_logged limit 1');
        return rows.length === 0 ? true : undefined;
      },
      () => 'events in the event log',
      10,
    );
    const equal = await backline('ads reconcile acme --timeout 60');
    assert.equal(equal.status, 0, equal.out + equal.err);
    assert.match(equal.out, /^account default\/acme .* equal$/m);
    assert.match(equal.out, /^adset default\/acme\.s +0\.\d+ +0\.\d+ +(0\.0\d+) +\1 +equal$/m);

    // The report has the money of the ledger.
    const ledger = await world.call('GET', '/v1/ads/ledger?account=default/acme');
    const row = ledger.json.counters.find(
      ({ bucket }: { bucket: string }) => bucket === 'adset default/acme.s lifetime',
    );
    const reported = JSON.parse((await backline('ads report --by campaign,day --account acme -o json')).out);
    const [{ day, ...figures }, ...others] = reported;
    assert.match(day, /^\d{4}-\d{2}-\d{2}$/);
    assert.deepEqual(others, []);
    assert.deepEqual(figures, {
      campaign: 'default/acme.c',
      impressions: 1,
      reach: null,
      frequency: null,
      completions: 0,
      clicks: 0,
      spend: Number(row.charged).toFixed(6),
      ecpm: '12.500000',
      currency: 'EUR',
    });
    assert.match((await backline('ads report')).out, /^impressions +reach +frequency /);
    const fill = await backline('ads report --fill --by placement,market,hour');
    assert.equal(fill.status, 0, fill.err);
    assert.match(fill.out, /^placement +market +hour +breaks +slots +filled +fillRate/);
    const ofCampaign = await backline('ads report --fill --by campaign');
    assert.equal(ofCampaign.status, 64);
    assert.match(ofCampaign.err, /--fill does not go with campaign.*\n.*--by and some of hour, day, placement, market/);
    assert.match((await backline('ads report --by week')).err, /It must be different names of hour, day, account/);

    await world.database.query(
      `update backline.quota_counters set used = used + 1 where bucket = 'adset default/acme.s lifetime'`,
    );
    const differs = await backline('ads reconcile acme --timeout 60');
    assert.equal(differs.status, 1);
    assert.match(differs.err, /the ledger of default\/acme differs in 2 of 2 places\./);
    assert.match(
      differs.err,
      /adset default\/acme\.s\n +the ledger has 0\.\d+, the events 0\.\d+: a difference of 0\.000001/,
    );
    const unknown = await backline('ads reconcile nobody');
    assert.match(unknown.err, /There is no ledger of the account "default\/nobody"\./);
  });

  await t.test('a wrong question is refused with what would be right', async () => {
    const { status, err } = await backline('ads decide --placement between-song --plan free --market de');
    assert.equal(status, 1);
    assert.match(err, /no live placement "between-song" \(did you mean "between-songs"\?\)/);
    const broken = await backline(`ads explain ${ASKED} --context genre`);
    assert.deepEqual([broken.status, broken.err.includes('--context genre cannot be read.')], [64, true]);
  });
});
