import { join } from 'node:path';
import { Head, headName } from '#kernel/kinds/builtin/head.ts';
import type { LocalRuntime } from '#kernel/controllers/module-controller.ts';
import {
  NO_REQUESTS,
  sumOfRequests,
  type PlaceRequests,
  type RequestCounts,
} from '#kernel/releases/kinds/request-counts.ts';
import type { CountRequests } from '#kernel/releases/kinds/target.ts';
import type { Store } from '#kernel/store/contract.ts';
import { Cluster } from '../kinds/cluster.ts';
import { Component } from '../kinds/component.ts';
import { LocalAgent } from '../local-cluster/local-agent.ts';
import { programOf } from '../rules/program.ts';
import { revisionOf } from '../rules/revision.ts';
import { liveIn } from './live-component.ts';

/** Counts the requests to both tracks of Components in each cluster that has any of the candidate. */
export function countRequests(parts: {
  readonly store: Pick<Store<never>, 'get' | 'list'>;
  readonly localRuntime: Pick<LocalRuntime, 'directory'> | undefined;
}): CountRequests {
  const { store, localRuntime } = parts;
  const agents = new Map<string, LocalAgent>();

  return async ({ objects }, { fromMs, toMs }) => {
    const tracks = objects.flatMap(({ kind, name }) => (kind === Component.id ? tracksOf(name) : []));
    const names = new Set(tracks.flatMap(({ clusters }) => clusters));
    const present = Array.from(store.list(Cluster), ({ name }) => name).filter((name) => names.has(name));
    return Promise.all(
      present.map(async (cluster): Promise<PlaceRequests> => {
        const here = tracks.filter(({ clusters }) => clusters.includes(cluster));
        const traffics = await Promise.all(here.map(({ name }) => agentOf(cluster).traffic(name, fromMs, toMs)));
        const of = (track: 'candidate' | 'stable'): RequestCounts =>
          here.map((one, index) => traffics[index]?.get(one[track]) ?? NO_REQUESTS).reduce(sumOfRequests, NO_REQUESTS);
        return { place: cluster, candidate: of('candidate'), stable: of('stable') };
      }),
    );
  };

  /** Both revisions of a Component, and the clusters that have the candidate; none where they do not differ. */
  function tracksOf(name: string) {
    const { everyone, candidate } = liveIn(store.get(Head, '', headName(Component, name))?.object(), { name });
    if (everyone === undefined || candidate?.spec === undefined) return [];
    const [stable, next] = [everyone, candidate.spec].map((spec) => revisionOf(programOf(spec)));
    if (stable === undefined || next === undefined || stable === next) return [];
    return [{ name, stable, candidate: next, clusters: Object.keys(candidate.weights.weightOf) }];
  }

  function agentOf(cluster: string): LocalAgent {
    if (localRuntime === undefined) throw new Error('the server that judges releases has no local runtime');
    const known = agents.get(cluster);
    if (known !== undefined) return known;
    const agent = new LocalAgent({ cluster, directory: join(localRuntime.directory, cluster) });
    agents.set(cluster, agent);
    return agent;
  }
}
