import { inOneStep } from '#kernel/base/turns.ts';
import { Client, type ClientSpec } from '#kernel/access/kinds/client.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import type { DecisionModule } from './module.ts';

/** An application as the decision plane knows it. */
export interface KnownClient {
  readonly name: string;
  readonly revision: string;
  readonly spec: ClientSpec;
}

/** Every application that may ask, found by its keys. */
export interface ClientTable {
  readonly byKeyHash: ReadonlyMap<string, { readonly client: KnownClient; readonly notAfterMs: number }>;
  /** Origins that some client may be used from: a preflight request does not say which client it is for. */
  readonly origins: ReadonlySet<string>;
}

function compile(world: World): ClientTable {
  const clients = [...world.list(Client.id)].map(knownClient);
  return {
    byKeyHash: new Map(
      clients.flatMap((client) =>
        client.spec.keys.map(
          ({ hash, notAfter }) =>
            [hash, { client, notAfterMs: notAfter === undefined ? Infinity : Date.parse(notAfter) }] as const,
        ),
      ),
    ),
    origins: new Set(clients.flatMap(({ spec }) => spec.origins ?? [])),
  };
}

function knownClient(client: LiveObject): KnownClient {
  return { name: client.name, revision: client.revision, spec: Client.spec(client) };
}

/** The part of each snapshot that says who may ask. */
export const clientsModule: DecisionModule<ClientTable> = {
  name: 'clients',
  kinds: [Client],
  compile: (world) => inOneStep(() => compile(world)),
  update: (_table, world) => inOneStep(() => compile(world)),
  routes: [],
};
