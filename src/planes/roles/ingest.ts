import { eventGate, type EventPlane } from '../parts/events.ts';
import type { FollowingNode } from '../parts/node.ts';
import type { RoleParts } from '../parts/shared.ts';

/** Takes events in. */
export function startIngest(node: FollowingNode, events: EventPlane): RoleParts {
  return { routes: events.routes(eventGate(node.gate)), checks: [] };
}
