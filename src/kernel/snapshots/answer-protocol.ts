import type { Exchange } from '#kernel/http/exchange.ts';
import type { RequestContext } from '#kernel/http/router.ts';
import type { CohortSubject } from './cohort-membership.ts';
import type { DecisionParts } from './decision-parts.ts';
import type { AdmittedQuestion } from './gate.ts';
import type { AdmittedToProtocol, DecisionModule, DecisionProtocol, ProtocolView } from './module.ts';
import { releasesText } from './name-releases.ts';
import type { Snapshot } from './snapshot.ts';
import { resultOfStatus } from './witness.ts';

/** How a module answers a request of one of its protocols. */
export function protocolAnswer(
  { follower, clock, gate, witness }: DecisionParts,
  module: DecisionModule<unknown>,
  protocol: DecisionProtocol<unknown>,
): (exchange: Exchange, limit: RequestContext) => void | Promise<void> {
  const exposureOf = (worlds: Snapshot['worlds']): string => worlds.get(module.name)?.tag ?? '';

  return (exchange, limit) => {
    const now = clock();
    const viewNow = (subjectOf: () => CohortSubject): ProtocolView<unknown> | Promise<ProtocolView<unknown>> => {
      const { version, tables, worlds } = follower.snapshot();
      const exposed = worlds.get(module.name);
      if (exposed === undefined) return { table: tables.get(module.name), version, releases: '' };
      const subject = subjectOf();
      const seen = exposed.see(subject, now.epochMilliseconds);
      if (seen instanceof Promise) {
        return seen.then(() => {
          limit.signal.throwIfAborted();
          return viewNow(subjectOf);
        });
      }
      exchange.response.once('finish', () => {
        witness.saw(seen, subject, resultOfStatus(exchange.response.statusCode), now);
      });
      return { table: seen.table, version, releases: releasesText(seen.releases) };
    };
    const letThrough = ({ input, publishableKey }: AdmittedQuestion): AdmittedToProtocol<unknown> => ({
      input,
      publishableKey,
      everybodys: () => {
        const { tables, worlds } = follower.snapshot();
        return { table: tables.get(module.name), exposure: exposureOf(worlds) };
      },
      viewOf: (subjectOf, about) => viewNow(() => subjectOf(about)),
      onSwap: (listener) =>
        follower.onSwap((snapshot) => listener(snapshot.tables.get(module.name), exposureOf(snapshot.worlds))),
    });
    return protocol.answer(exchange, {
      now,
      limit,
      admit: (input) => {
        const admitted = gate.admit(exchange, protocol, input);
        return admitted instanceof Promise ? admitted.then(letThrough) : letThrough(admitted);
      },
    });
  };
}
