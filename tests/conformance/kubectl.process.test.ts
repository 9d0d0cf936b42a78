import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { startWorld, type World } from '../support/backline.ts';
import { feature, market, plan, price } from '../support/catalogue.ts';
import { findKubectls, openShell, type Kubectl, type Shell } from '../support/kubectl.ts';

const kubectls = await findKubectls();
const skip = kubectls.length === 0 ? 'SKIPPED: there is no kubectl on the PATH of this machine' : false;

const yaml = (...objects: object[]) => objects.map((object) => stringify(object)).join('---\n');

/** The oldest and the newest, or all in the long version. Two at a time: each kubectl is a process of its own that works for itself. */
test('each kubectl does all that it does with a Kubernetes server', { skip, concurrency: 2 }, async (t) => {
  await Promise.all(
    kubectls.map((kubectl) =>
      t.test(kubectl.version, async (t) => {
        await using world = await startWorld(t);
        const terminal = await openShell(t, world, kubectl);
        await catalogue(world, kubectl, terminal);
        await everyVerb(terminal);
        await access(terminal);
      }),
    ),
  );
});

/** The kinds of the business, from their explanation to their end. */
async function catalogue(world: World, kubectl: Kubectl, { run, ok, folder }: Shell): Promise<void> {
  assert.match(await ok('api-resources'), /plans\s+products\.backline\.dev\/v1\s+true\s+Plan/);
  assert.match(await ok('api-versions'), /products\.backline\.dev\/v1/);
  assert.match(await ok('version'), /Server Version/);
  assert.match(await ok('explain plans.spec.entitlements'), /FIELDS?:[\s\S]*feature/);
  assert.match(await ok('explain prices --recursive'), /timeline[\s\S]*amount/);

  assert.match(await ok('create -f -', yaml(feature('offline'))), /offline created/);
  const all = yaml(market('de'), feature('lossless'), plan('premium', { entitlements: [{ feature: 'offline' }] }));
  const prices = yaml(
    price('premium-de', {
      plan: 'premium',
      market: 'de',
      timeline: [{ from: '2026-01-01', amount: '10.99', currency: 'EUR' }],
    }),
  );
  assert.match(await ok('apply -f -', all), /plan\S* ?\S*premium created|premium created/);
  assert.match(await ok('apply -f -', prices), /premium-de created/);
  assert.match(await ok('apply -f -', all), /premium unchanged/);
  await ok('wait --for=condition=Live plan/premium price/premium-de --timeout=10s');

  const table = await ok('get plans,prices -A');
  assert.match(table, /premium/);
  assert.match(table, /10\.99/);
  assert.match(await ok('get plan premium -o yaml'), /liveRevision/);
  assert.match(await ok('get plans -o name'), /plan\.products\.backline\.dev\/premium/);
  assert.match(await ok('get plans -o jsonpath={.items[*].metadata.name}'), /^premium$/);
  assert.match(await ok('get heads'), /premium/);
  assert.match(await ok('describe plan premium'), /Live/);

  const changed = yaml(
    market('de'),
    plan('premium', { rank: 20, entitlements: [{ feature: 'offline' }, { feature: 'lossless' }] }),
  );
  const diff = await run('diff -f -', changed);
  assert.equal(diff.code, 1, 'diff says with its exit status that there are differences');
  assert.match(diff.stdout, /^\+\s+rank: 20$/m);
  assert.match(await ok('apply -f -', changed), /premium configured/);
  assert.match(await ok('get plan premium -o jsonpath={.spec.rank},{.metadata.generation}'), /^20,2$/);

  assert.match(await ok('patch plan premium --type=merge -p {"spec":{"seats":2}}'), /patched/);
  assert.match(
    await ok('patch plan premium --type=json -p [{"op":"replace","path":"/spec/seats","value":3}]'),
    /patched/,
  );
  assert.match(await ok('label plan premium team=growth'), /labeled/);
  assert.match(await ok('annotate plan premium note=yes'), /annotated?$/m);
  assert.match(await ok('get plans -l team=growth -o name'), /premium/);
  assert.equal(await ok('get plans -l team=other -o name'), '');
  assert.match(await ok('get plans --field-selector metadata.name=premium -o name'), /premium/);

  const editor = join(folder, 'editor.sh');
  await writeFile(editor, '#!/bin/sh\nsed -i "s/rank: 20/rank: 30/" "$1"\n', { mode: 0o755 });
  assert.match(await ok('edit plan premium', '', { KUBE_EDITOR: editor }), /edited/);
  assert.equal(await ok('get plan premium -o jsonpath={.spec.rank}'), '30');

  const config = yaml({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'greeting' },
    data: { text: 'hello', more: 'x' },
  });
  assert.match(await ok('apply -f -', config), /greeting created/);
  assert.match(await ok('apply -f -', config.replace('  more: x\n', '')), /greeting configured/);
  assert.equal(await ok('get cm greeting -o jsonpath={.data}'), '{"text":"hello"}');
  const edited = config.replace('hello', 'good day');
  assert.match(await ok('replace -f -', edited), /replaced/);

  const bad = await run('apply -f -', yaml(plan('typo', { entitlement: [] })));
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /unknown field "spec\.entitlement"/);
  const wrong = await run('apply -f -', yaml(plan('wrong', { rank: 'high' })));
  assert.match(wrong.stderr, /spec\.rank/);
  const second = price('premium-de-2', {
    plan: 'premium',
    market: 'de',
    timeline: [{ from: '2026-06-01', amount: '12.99', currency: 'EUR' }],
  });
  const overlap = await run('apply -f -', yaml(second));
  assert.match(overlap.stderr, /premium-de/, 'an overlap names the other price');
  assert.match((await run('get plan nothing')).stderr, /NotFound|not found/);

  const seen = await watchOnce(kubectl, world, folder, 'cm', () => ok('label cm greeting seen=yes'));
  assert.match(seen, /greeting/);

  assert.match(await ok('delete cm greeting'), /deleted/);
  const [, , deleted] = [await ok('create -f -', config), 0, await run('wait --for=delete cm/greeting --timeout=1s')];
  assert.equal(deleted.code, 1, 'waiting for the deletion of what stays times out');
  await ok('delete -f -', config);
  await ok('wait --for=delete cm/greeting --timeout=5s');
  assert.match(await ok('delete plan premium'), /deleted/);
  assert.match(
    await ok('get head plans.products.backline.dev.premium -o jsonpath={.status.held}'),
    /still needed by Price "premium-de"/,
  );
}

/** The other verbs, options and outputs, on config maps. */
async function everyVerb({ run, ok, folder }: Shell): Promise<void> {
  assert.match(await ok('create namespace team'), /namespace\/team created/);
  const inTeam = (args: string, input?: string) => ok(`-n team ${args}`, input);
  const blob = join(folder, 'blob');
  await writeFile(blob, Buffer.from([0, 255, 128]));
  assert.match(
    await inTeam(`create configmap a --from-literal=text=hello --from-file=${blob}`),
    /configmap\/a created/,
  );
  assert.equal(await inTeam('get cm a -o jsonpath={.data}{.binaryData}'), '{"text":"hello"}{"blob":"AP+A"}');
  await inTeam('create configmap b --from-literal=text=ciao');
  assert.match(await inTeam('create configmap c --dry-run=server -o name'), /^configmap\/c$/m);
  assert.doesNotMatch(await inTeam('create configmap c --dry-run=server -o yaml'), /resourceVersion/);

  const base = join(folder, 'base');
  await mkdir(base);
  const literals = [{ name: 'built', literals: ['text=hi'] }];
  const kustomization = {
    namePrefix: 'my-',
    configMapGenerator: literals,
    generatorOptions: { disableNameSuffixHash: true },
  };
  await writeFile(join(base, 'kustomization.yaml'), yaml(kustomization));
  assert.match(await ok(`kustomize ${base}`), /name: my-built/);
  assert.match(await inTeam(`apply --server-side -k ${base}`), /my-built serverside-applied/);
  assert.match(await inTeam(`delete -k ${base}`), /my-built.* deleted/);

  assert.match(await inTeam('get cm --chunk-size=1'), /NAME +DATA +AGE\na +2 +\d+s\nb +1/);
  assert.match(await inTeam('get cm --sort-by=.data.text'), /\nb .*\na /, 'ciao comes before hello');
  assert.match(
    await inTeam('get cm -o custom-columns=N:.metadata.name,T:.data.text --no-headers'),
    /^a +hello\nb +ciao\n$/,
  );
  assert.match(await inTeam('get cm a -o yaml --show-managed-fields'), /^kind: ConfigMap$/m);
  assert.match(await inTeam('get cm -o wide --show-labels'), /LABELS\na .*<none>/);
  assert.equal(await inTeam('get cm none --ignore-not-found'), '');
  const watched = await run('-n team get cm -w --output-watch-events --request-timeout=1s');
  assert.match(watched.stdout, /EVENT +NAME +DATA +AGE\nADDED +a .*\nADDED +b /);
  assert.match(await inTeam('get --raw /api/v1/namespaces/team/configmaps?limit=1'), /"remainingItemCount"|"continue"/);
  assert.match(await inTeam('get events'), /^$/);
  assert.match(await ok('get namespace team'), /team +Active/);
  assert.match(await ok('describe namespace team'), /Status: +Active/);
  assert.match(await inTeam('describe cm a'), /text:\n----\nhello/);
  assert.match(await ok('explain configmap.data'), /FIELD: +data +<map\[string\]string>/);
  const explained = await run('explain plan.spec --output=plaintext-openapiv2');
  assert.match(explained.stdout, /rank\s+<integer>/, explained.stderr);
  assert.match(await run('get cm --field-selector spec.x=1').then(({ stderr }) => stderr), /field label not supported/);

  assert.match(await inTeam('label cm --all team=growth'), /a labeled\n.*b labeled/);
  assert.match((await run('-n team label cm a team=other')).stderr, /--overwrite is false/);
  assert.match(await inTeam('patch cm a -p {"data":{"more":"x"}}'), /patched/);
  assert.match(await inTeam('get cm -l team=growth -o name'), /configmap\/a\nconfigmap\/b/);
  assert.match(await inTeam('wait --for=jsonpath={.data.more}=x cm/a --timeout=5s'), /condition met/);

  const file = yaml({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'f', labels: { from: 'file' } } });
  assert.match(await inTeam('apply -f -', file), /f created/);
  assert.match(await inTeam('apply view-last-applied cm f'), /from: file/);
  assert.match(await inTeam('replace --force -f -', file), /configmap\/f replaced/);
  assert.match(await inTeam('apply set-last-applied -f - --create-annotation', file), /f configured/);
  assert.equal(await inTeam('diff -f -', file), '', 'a version that is not written is no difference');
  const pruned = yaml({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'g', labels: { from: 'file' } } });
  assert.match(
    await inTeam('apply -f - --prune -l from=file --prune-allowlist=core/v1/ConfigMap', pruned),
    /g created\nconfigmap\/f pruned/,
  );

  const heldMap = (...finalizers: string[]) =>
    yaml({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held', finalizers } });
  await inTeam('apply -f -', heldMap('x.example/a', 'x.example/b'));
  await inTeam('patch cm held -p {"metadata":{"finalizers":["x.example/other"]}}');
  await inTeam('apply -f -', heldMap('x.example/a'));
  assert.equal(
    await inTeam('get cm held -o jsonpath={.metadata.finalizers}'),
    '["x.example/a","x.example/other"]',
    'apply takes back what it gave, and leaves what somebody else gave',
  );
  await inTeam('patch cm held --type=merge -p {"metadata":{"finalizers":null}}');

  assert.match(await inTeam('delete cm a --wait=false'), /"a" deleted/);
  assert.match(await inTeam('delete cm --all'), /"b" deleted\n.*"g" deleted\n.*"held" deleted/);
  assert.match((await run('-n team delete cm a')).stderr, /configmaps "a" not found/);
  assert.equal(await inTeam('delete cm a --ignore-not-found'), '');
  await inTeam('create configmap owner');
  assert.match(await inTeam('delete cm owner --cascade=orphan --wait=false'), /"owner" deleted/);
}

/** Commands for identity and permission; newer kubectl sends most of them as protobuf. */
async function access({ run, ok }: Shell): Promise<void> {
  assert.match(await ok('create secret generic keys --from-literal=a=b'), /secret\/keys created/);
  assert.equal(await ok('get secret keys -o jsonpath={.type},{.data.a}'), 'Opaque,Yg==');
  assert.match(await ok('describe secret keys'), /a: +1 bytes/);
  assert.match(await ok('create serviceaccount robot'), /serviceaccount\/robot created/);
  assert.match(await ok('create token robot --duration=1h'), /^eyJ/);
  assert.match(
    await ok('create role reader --verb=get,list --resource=configmaps --resource-name=x'),
    /reader created/,
  );
  assert.match(await ok('create clusterrole urls --verb=get --non-resource-url=/metrics'), /urls created/);
  assert.match(await ok('create clusterrole sum --aggregation-rule=sum=yes'), /sum created/);
  assert.match(await ok('create rolebinding rb --role=reader --serviceaccount=default:robot --user=jo'), /rb created/);
  assert.match(await ok('create clusterrolebinding crb --clusterrole=urls --group=ops'), /crb created/);
  assert.match(await ok('get rolebinding rb -o wide'), /Role\/reader +jo +default\/robot/);
  assert.match(await ok('describe role reader'), /configmaps +\[\] +\[x\] +\[get list\]/);
  assert.match(await ok('set subject rolebinding rb --user=ann'), /subjects updated/);
  const role = yaml({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'reader', namespace: 'default' },
    rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }],
  });
  assert.match(await ok('auth reconcile -f -', role), /reconciled/);
  assert.match(await ok('auth can-i create configmaps'), /^yes$/m);
  assert.match(await ok('auth can-i get /metrics'), /^yes$/m);
  assert.match(await ok('auth can-i --list'), /\*\.\* +\[\] +\[\] +\[\*\]/);
  assert.match(await ok('auth whoami'), /Username +admin/);

  const token = (await ok('create token robot')).trim();
  const asRobot = (args: string) => run(`--token ${token} ${args}`);
  assert.equal((await asRobot('auth can-i get configmaps')).code, 1);
  assert.match((await asRobot('auth whoami')).stdout, /system:serviceaccount:default:robot/);
  assert.match((await asRobot('get configmaps')).stderr, /Forbidden.*cannot list resource "configmaps"/);
}

/** The output of `kubectl get -w` after a change. */
function watchOnce(
  kubectl: Kubectl,
  world: World,
  folder: string,
  what: string,
  act: () => Promise<string>,
): Promise<string> {
  const args = [
    '--kubeconfig',
    world.running.kubeconfigFile,
    '--cache-dir',
    join(folder, 'cache'),
    'get',
    what,
    '-w',
    '--watch-only',
  ];
  const child = spawn(kubectl.file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let output = '';
    let acted = false;
    // `--watch-only` prints nothing until something happens: act once the server has the watch.
    const poll = setInterval(() => {
      void watchers(world).then((count) => {
        if (count === 0 || acted) return;
        acted = true;
        act().catch(reject);
      });
    }, 20);
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (!output.includes('greeting')) return;
      clearInterval(poll);
      child.kill();
      resolve(output);
    });
    child.once('error', reject);
    child.once('exit', () => clearInterval(poll));
  });
}

async function watchers(world: World): Promise<number> {
  const { text } = await world.call('GET', '/metrics');
  return Number(/^backline_watchers (\d+)$/m.exec(text)?.[1] ?? 0);
}
