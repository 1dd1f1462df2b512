/** `weir demo`: the main job in namespaces that it makes and removes. */
export { runDemo } from './run-demo.ts';
