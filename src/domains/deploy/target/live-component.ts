import { candidateOf, everyoneOf } from '#kernel/kinds/builtin/head.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { Component } from '../kinds/component.ts';
import { weightsIn, type LiveComponent } from '../rules/wanted-tracks.ts';

/** The live state of a Component, by its Head. */
export function liveIn(head: ResourceObject | undefined, { name }: Pick<LiveComponent, 'name'>): LiveComponent {
  const everyone = head === undefined ? undefined : everyoneOf(head)?.object;
  const candidate = head === undefined ? undefined : candidateOf(head);
  return {
    name,
    everyone: everyone === undefined ? undefined : Component.spec(everyone),
    candidate:
      candidate === undefined
        ? undefined
        : {
            spec: candidate.object === undefined ? undefined : Component.spec(candidate.object),
            weights: weightsIn(candidate),
          },
  };
}
