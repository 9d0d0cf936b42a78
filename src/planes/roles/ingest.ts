import { eventGate, type EventPlane } from '../events.ts';
import type { FollowingNode } from '../node.ts';
import type { RoleParts } from '../shared.ts';

/** Takes events in. */
export function startIngest(node: FollowingNode, events: EventPlane): RoleParts {
  return { routes: events.routes(eventGate(node.gate)), checks: [] };
}
