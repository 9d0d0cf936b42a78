import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  ADD,
  ApiException,
  CoordinationV1Api,
  CoreV1Api,
  CustomObjectsApi,
  DELETE,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  UPDATE,
  V1MicroTime,
  makeInformer,
  type KubernetesObject,
} from '@kubernetes/client-node';
import { startWorld } from '../support/backline.ts';
import { until } from '../support/installation.ts';

const FINALIZER = 'example.com/playlists';
const PLAYLISTS = { group: 'example.com', version: 'v1', namespace: 'default', plural: 'playlists' } as const;
const PATH = '/apis/example.com/v1/namespaces/default/playlists';
const DEFINITION = {
  metadata: { name: 'playlists.example.com' },
  spec: {
    group: 'example.com',
    names: { plural: 'playlists', kind: 'Playlist' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { songs: { type: 'integer', minimum: 0 } } },
              status: { type: 'object', properties: { by: { type: 'string' }, songs: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
};

interface Playlist extends KubernetesObject {
  readonly spec: { readonly songs: number };
  readonly status?: { readonly by: string; readonly songs: number };
}

interface Controller {
  readonly name: string;
  readonly stop: () => Promise<void>;
  readonly isLeading: () => boolean;
  /** Playlists whose outside part was taken away. */
  readonly released: readonly string[];
}

/** Long enough for a busy machine; who stops gives it back. */
const LEASE_SECONDS = 30;
const APPLIED = setHeaderOptions('Content-Type', PatchStrategy.ServerSideApply);

/** A controller as users write it with the Kubernetes client: a lease, an informer, a finalizer, server-side apply and a status. */
function startController(t: TestContext, config: KubeConfig, name: string): Controller {
  const core = config.makeApiClient(CoreV1Api);
  const custom = config.makeApiClient(CustomObjectsApi);
  const leases = config.makeApiClient(CoordinationV1Api);
  const released: string[] = [];
  let isLeading = false;
  let isStopped = false;
  const list = async () =>
    custom.listNamespacedCustomObject(PLAYLISTS) as Promise<{ items: Playlist[] } & KubernetesObject>;
  const informer = makeInformer<Playlist>(config, PATH, list);

  const patch = (object: string, body: object, manager = name) =>
    custom.patchNamespacedCustomObject(
      { ...PLAYLISTS, name: object, body, fieldManager: manager, force: true },
      APPLIED,
    );
  const identityOf = (object: string) => ({
    apiVersion: 'example.com/v1',
    kind: 'Playlist',
    metadata: { name: object },
  });

  async function reconcile(object: Playlist): Promise<void> {
    const { name: playlist = '', uid = '', deletionTimestamp, finalizers = [] } = object.metadata ?? {};
    if (deletionTimestamp !== undefined) {
      if (!finalizers.includes(FINALIZER)) return;
      if (!released.includes(playlist)) released.push(playlist);
      // Applying nothing gives up the finalizer, which nobody else owns.
      await patch(playlist, identityOf(playlist), 'playlists');
      return;
    }
    const metadata = { name: playlist, finalizers: [FINALIZER] };
    if (!finalizers.includes(FINALIZER)) await patch(playlist, { ...identityOf(playlist), metadata }, 'playlists');
    const owner = { apiVersion: 'example.com/v1', kind: 'Playlist', name: playlist, uid, controller: true };
    await core.patchNamespacedConfigMap(
      {
        namespace: 'default',
        name: playlist,
        fieldManager: 'playlists',
        force: true,
        body: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: playlist, ownerReferences: [owner] },
          data: { songs: String(object.spec.songs) },
        },
      },
      APPLIED,
    );
    const status = { by: name, songs: object.spec.songs };
    await custom.patchNamespacedCustomObjectStatus(
      {
        ...PLAYLISTS,
        name: playlist,
        body: { ...identityOf(playlist), status },
        fieldManager: 'playlists',
        force: true,
      },
      APPLIED,
    );
  }

  /** One after the other, each with the object as it is by then; what somebody else changed meanwhile is tried again. */
  let queue: Promise<void> = Promise.resolve();
  const onChange = ({ metadata }: Playlist): void => {
    queue = queue.then(() => reconcileNow(metadata?.name ?? ''));
  };
  async function reconcileNow(playlist: string): Promise<void> {
    while (isLeading) {
      try {
        return await reconcile((await custom.getNamespacedCustomObject({ ...PLAYLISTS, name: playlist })) as Playlist);
      } catch (error) {
        if (!(error instanceof ApiException)) throw error;
        if (error.code === 404) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
  informer.on(ADD, onChange);
  informer.on(UPDATE, onChange);
  informer.on(DELETE, () => {});
  informer.on('error', () => setTimeout(() => void informer.start(), 100).unref());

  async function tryToLead(): Promise<void> {
    const at = { namespace: 'default', name: 'playlists' };
    const now = new V1MicroTime();
    const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime: now };
    try {
      const lease = await leases.readNamespacedLease(at);
      // The client gives a text, whatever its types say.
      const renewedMs = Date.parse(String(lease.spec?.renewTime ?? 0));
      const isFree = Date.now() - renewedMs > LEASE_SECONDS * 1_000 || (lease.spec?.holderIdentity ?? '') === '';
      if (lease.spec?.holderIdentity !== name && !isFree) {
        isLeading = false;
        return;
      }
      const { metadata = {} } = lease;
      await leases.replaceNamespacedLease({ ...at, body: { metadata, spec } });
    } catch (error) {
      if (!(error instanceof ApiException) || error.code !== 404) throw error;
      await leases.createNamespacedLease({ namespace: 'default', body: { metadata: { name: at.name }, spec } });
    }
    const isNew = !isLeading;
    isLeading = true;
    // Whatever happened while another one led is made up for.
    if (isNew) for (const object of (await list()).items) onChange(object);
  }

  async function giveBack(): Promise<void> {
    const at = { namespace: 'default', name: 'playlists' };
    const { metadata = {} } = await leases.readNamespacedLease(at);
    await leases.replaceNamespacedLease({ ...at, body: { metadata, spec: { holderIdentity: '' } } });
  }

  let beating: Promise<void> = Promise.resolve();
  const beat = setInterval(() => {
    beating = beating.then(tryToLead).catch(() => {
      isLeading = false;
    });
  }, 200);
  void informer.start();
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    clearInterval(beat);
    await informer.stop();
    await beating;
    if (isLeading) await giveBack();
    isLeading = false;
  };
  t.after(stop);
  return { name, stop, isLeading: () => isLeading, released };
}

test('two controllers written with the Kubernetes client: one leads, the other takes over, nothing stays behind', async (t) => {
  await using world = await startWorld(t, { roles: ['api', 'controllers'] });
  const { call } = world;
  const config = new KubeConfig();
  config.loadFromFile(world.running.kubeconfigFile);
  const defined = await call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body: DEFINITION });
  assert.equal(defined.status, 201, defined.text);
  const read = async (name: string) => (await call('GET', `${PATH}/${name}`)).json;
  await until(
    async () => ((await call('GET', PATH)).status === 200 ? true : undefined),
    () => 'the kind to be served',
  );
  const controllers = ['one', 'two'].map((name) => startController(t, config, name));
  const leader = await until(
    async () => controllers.find(({ isLeading }) => isLeading()),
    () => 'a leader',
  );
  const other = controllers.find((one) => one !== leader);
  const create = (name: string, songs: number) =>
    call('POST', PATH, {
      body: { apiVersion: 'example.com/v1', kind: 'Playlist', metadata: { name }, spec: { songs } },
    });
  assert.equal((await create('morning', 3)).status, 201);
  const waitFor = (name: string, songs: number, by: string) =>
    until(
      async () => {
        const object = await read(name);
        return object.status?.songs === songs && object.status.by === by ? object : undefined;
      },
      () => `${name} to have ${songs} songs by ${by}`,
    );
  const first = await waitFor('morning', 3, leader.name);
  assert.deepEqual(first.metadata.finalizers, [FINALIZER]);
  assert.equal(first.metadata.generation, 1, 'neither its finalizer nor its status is a change of the spec');
  const map = async () => call('GET', '/api/v1/namespaces/default/configmaps/morning');
  assert.equal((await map()).json.data.songs, '3');

  await leader.stop();
  await call('PATCH', `${PATH}/morning`, {
    body: { spec: { songs: 4 } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  const next = await waitFor('morning', 4, other?.name ?? '');
  const owners = next.metadata.managedFields.map(
    ({ manager, subresource = '' }: { manager: string; subresource?: string }) =>
      [manager, subresource].join(' ').trim(),
  );
  assert.ok(owners.includes('playlists status') && owners.includes('playlists'), owners.join());

  assert.equal((await call('DELETE', `${PATH}/morning`)).status, 200);
  await until(
    async () => ((await call('GET', `${PATH}/morning`)).status === 404 ? true : undefined),
    () => 'the playlist to be gone',
  );
  assert.deepEqual(other?.released, ['morning']);
  await until(
    async () => ((await map()).status === 404 ? true : undefined),
    () => 'what it owned to be collected',
  );
});
