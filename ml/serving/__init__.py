"""The prediction server, what it is compiled from, the canary and the batch run.

compile_version(folder, pipeline, config, probes)  scoring.compiled_version  called when a version is registered
load_version(folder) -> Served                     scoring.compiled_version  refuses an artefact that answers otherwise
Schema, Encoder                                    scoring                   JSON body -> ndarray, typed errors
build_app(state, sources)                          server.app                the ASGI application
"""
