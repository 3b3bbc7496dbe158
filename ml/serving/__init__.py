"""The prediction server, what it is compiled from, the canary and the batch run.

compile_version(folder, pipeline, config, probes)  ml.serving.artefact: called when a version is registered
load_version(folder) -> Served                     ml.serving.artefact: refuses an artefact that answers differently
Schema, Encoder                                    ml.serving.schema, encoder: JSON body -> ndarray, typed errors
build_app(hosting, settings)                       ml.serving.server: the ASGI application
"""
