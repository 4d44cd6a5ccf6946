"""The agent: claims shots, runs them on one device, reports. It talks HTTP to the server and to nothing else.

Never here: services, store, adapters, api, torch. A runtime is handed in; what a picture is made of is its business.
"""
