"""The routes of docs/API.md, those that are asked most first (web.py looks through them in order)."""

from pulp.server.webservices.controllers import (
    actions,
    consumers,
    packages,
    schedules,
    tasks,
    users,
)
from pulp.server.webservices.routes import Controller

CONTROLLERS: tuple[type[Controller], ...] = (
    tasks.Task,
    actions.Install,
    tasks.Tasks,
    consumers.Consumer,
    consumers.ConsumerHistory,
    consumers.Consumers,
    actions.Update,
    actions.Remove,
    actions.UpdateAll,
    actions.RefreshProfile,
    actions.Updates,
    actions.InstallGroup,
    actions.RemoveGroup,
    actions.Groups,
    tasks.TaskCancel,
    tasks.TaskRetry,
    consumers.ConsumerPing,
    consumers.ConsumerProfile,
    packages.Packages,
    packages.Package,
    schedules.Schedules,
    schedules.Schedule,
    schedules.SchedulePreviews,
    users.Login,
    users.Users,
    users.User,
    users.RegistrationTokens,
    users.RegistrationToken,
)
